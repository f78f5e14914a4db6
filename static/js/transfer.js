// Sends one file in parts and goes on where it broke off: after a lost connection by itself, after a reload when the
// same file is chosen again. The server says which parts are missing and verifies the whole by its digest.
const TRIES = 8;
const wait = (seconds) => new Promise((resolve) => { setTimeout(resolve, seconds * 1000); });

export const canSend = () => Boolean(globalThis.crypto?.subtle);

async function sha256(blob) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));
}
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const base64 = (bytes) => btoa(String.fromCharCode(...bytes));

/** What the server refuses; trying again would not help. */
export class Refusal extends Error {}

export class Transfer {
  /**
   * @param {File} file
   * @param {{open: string, token: string, report: (state: object) => void, signal: AbortSignal}} options
   */
  constructor(file, options) {
    this.file = file;
    this.options = options;
    this.sent = 0;
    this.already = 0;
  }

  /** The id of the complete upload, and its digest. */
  async run() {
    const { open, report } = this.options;
    report({ phase: "hash" });
    const form = new FormData();
    form.set("sha256", hex(await sha256(this.file)));
    form.set("size_bytes", String(this.file.size));
    form.set("filename", this.file.name);
    let state = await this.ask(open, { method: "POST", body: form });
    this.already = this.bytesThere(state);
    this.started = performance.now();
    while (state.state === "pending") {
      for (const number of state.missing) await this.part(state, number);
      report({ phase: "verify", digest: state.digest });
      state = await this.ask(state.complete_url, { method: "POST" });
    }
    report({ phase: "done", digest: state.digest });
    return state;
  }

  bytesThere(state) {
    const size = (number) => Math.min(state.part_bytes, state.size_bytes - (number - 1) * state.part_bytes);
    return state.size_bytes - state.missing.reduce((sum, number) => sum + size(number), 0);
  }

  async part(state, number) {
    const start = (number - 1) * state.part_bytes;
    const blob = this.file.slice(start, start + state.part_bytes);
    const digest = base64(await sha256(blob));
    await this.ask(state.part_url + number, {
      method: "PUT", body: blob,
      headers: { "Content-Digest": `sha-256=:${digest}:`, "Content-Type": "application/octet-stream" },
    });
    this.sent += blob.size;
    const seconds = (performance.now() - this.started) / 1000;
    const done = this.already + this.sent;
    const left = this.sent ? ((this.file.size - done) * seconds) / this.sent : null;
    this.options.report({ phase: "send", done, total: this.file.size, left, resumed: this.already });
  }

  /** A request that is tried again, later each time, while the connection or the server is away. */
  async ask(url, init, tried = 0) {
    const headers = { ...init.headers, "X-CSRFToken": this.options.token };
    let answer = null;
    try {
      answer = await fetch(url, { ...init, headers, signal: this.options.signal, redirect: "error" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
    }
    if (answer?.ok) return answer.json();
    if (answer && answer.status < 500 && answer.status !== 429) {
      const said = await answer.json().catch(() => ({}));
      throw new Refusal(said.message ?? `The server answered ${answer.status}. Reload the page and try again.`);
    }
    if (tried >= TRIES) throw new Error("The connection is lost. What arrived is kept: try again later with the same file.");
    this.options.report({ phase: "wait", tried: tried + 1 });
    await wait(Math.min(0.5 * 2 ** tried, 20));
    return this.ask(url, init, tried + 1);
  }
}
