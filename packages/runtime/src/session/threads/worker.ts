/** A web worker of a session. */
import { createServer } from './serve.ts'

const serve = createServer((answer, transfer) => postMessage(answer, { transfer }))
addEventListener('message', ({ data }) => void serve(data))
