from crane_pyg.nn.conv.bipartite_conv import BipartiteConv
from crane_pyg.nn.conv.mean_of_layers import mean_of_layers
from crane_pyg.nn.conv.semantic_conv import SemanticConv
from crane_pyg.nn.conv.user_profile import UserProfile
from crane_pyg.nn.conv.weighted_sum import WeightedSum

__all__ = ["BipartiteConv", "SemanticConv", "UserProfile", "WeightedSum", "mean_of_layers"]
