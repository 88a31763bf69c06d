// Files with their hash in the manifest, fetched when they are needed.

/** The bytes of a file of the manifest; `heard` is told how many more have come. */
export async function download({ file, bytes, sha256 }, heard = () => {}) {
  const url = new URL(file, import.meta.url);
  const content = new Uint8Array(bytes);
  let received = 0;
  try {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
    const reader = answer.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (received + value.length > bytes) throw new Error("it is longer than it should be");
      content.set(value, received);
      received += value.length;
      heard(value.length);
    }
    if (received < bytes) throw new Error("it was cut short");
  } catch (error) {
    throw new Error(`${file} could not be loaded (${error.message}). Check the connection and reload the page.`);
  }
  // Pages of a host without HTTPS have no such function.
  const digest = await globalThis.crypto?.subtle?.digest("SHA-256", content);
  if (digest && hexadecimal(digest) !== sha256) {
    throw new Error(`${file} is not the file that it should be. Reload the page.`);
  }
  return content;
}

function hexadecimal(buffer) {
  return Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
