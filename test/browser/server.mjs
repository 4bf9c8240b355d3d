/** A web server on loopback for one test: files from folders, texts and bytes from memory, headers as asked. */
import { createReadStream, statSync } from 'node:fs'
import { createServer } from 'node:http'
import path from 'node:path'

const types = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
}

/** With these a page is cross-origin isolated: it may use SharedArrayBuffer. */
const isolationHeaders = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
}

/**
 * @param contents by address from `/`: a string or bytes; the address's ending says what it is, none is HTML
 * @param folders by address from `/` to `/`: a folder whose files are served below it
 * @param isolated whether pages are cross-origin isolated
 * @param headers sent with every answer
 * @returns `origin`, like http://127.0.0.1:PORT, and `close`
 */
export async function serve({ contents = {}, folders = {}, isolated = false, headers = {} }) {
  const sent = { 'Cache-Control': 'no-store', ...(isolated && isolationHeaders), ...headers }
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://127.0.0.1')
    const answer = (status, type, length) =>
      response.writeHead(status, { ...sent, 'Content-Type': type, 'Content-Length': length })
    const type = types[path.extname(pathname)] ?? 'application/octet-stream'
    if (Object.hasOwn(contents, pathname)) {
      const body = Buffer.from(contents[pathname])
      answer(200, path.extname(pathname) === '' ? types['.html'] : type, body.length)
      response.end(body)
      return
    }
    // Chromium asks for it unbidden; its absence is no failure of the page.
    if (pathname === '/favicon.ico') {
      response.writeHead(204, sent).end()
      return
    }
    const file = fileOf(folders, pathname)
    const status = file === undefined ? undefined : statSync(file, { throwIfNoEntry: false })
    if (!status?.isFile()) {
      answer(404, 'text/plain', 0)
      response.end()
      return
    }
    answer(200, type, status.size)
    createReadStream(file).pipe(response)
  })
  await new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close() {
      server.closeAllConnections()
      return new Promise(resolve => server.close(resolve))
    },
  }
}

function fileOf(folders, pathname) {
  const prefix = Object.keys(folders).find(folder => pathname.startsWith(folder))
  // URL has resolved every `..`, and what is escaped stays so: nothing leaves the folder.
  return prefix && path.join(folders[prefix], pathname.slice(prefix.length))
}
