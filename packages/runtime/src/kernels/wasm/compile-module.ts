/**
 * A module of some kilobytes compiles in less time than another thread takes to be free for it; some browsers refuse to do
 * so on a page's own thread.
 */
export async function compileModule(bytes: Uint8Array<ArrayBuffer>): Promise<WebAssembly.Module> {
  try {
    return new WebAssembly.Module(bytes)
  } catch {
    return WebAssembly.compile(bytes)
  }
}
