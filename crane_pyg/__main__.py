from crane_pyg.cli import main

if __name__ == "__main__":
    main()
