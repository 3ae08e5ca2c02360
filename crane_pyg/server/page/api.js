// Asking the server. Addresses are relative, so that the page works below any path.

export class Refusal extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

async function answer(response) {
  let content = {};
  try {
    content = await response.json();
  } catch {
    // A proxy in between may answer with a page of its own.
  }
  if (!response.ok) throw new Refusal(response.status, content.detail ?? `status ${response.status}`);
  return content;
}

export async function get(path, params = {}, signal) {
  const query = new URLSearchParams(params).toString();
  return answer(await fetch(query ? `${path}?${query}` : path, { signal }));
}

export async function post(path, body, signal) {
  const headers = { "content-type": "application/json" };
  return answer(await fetch(path, { method: "POST", headers, body: JSON.stringify(body), signal }));
}

// Only the newest of several requests for one place counts: it ends those before it.
export function newest() {
  let current = null;
  return async (ask) => {
    current?.abort();
    const mine = (current = new AbortController());
    try {
      const found = await ask(mine.signal);
      return mine.signal.aborted ? null : found;
    } catch (error) {
      if (mine.signal.aborted) return null;
      throw error;
    }
  };
}
