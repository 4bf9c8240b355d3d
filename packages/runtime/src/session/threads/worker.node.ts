/** A worker thread of a session in Node. */
import { parentPort } from 'node:worker_threads'
import { createServer } from './serve.ts'

const port = parentPort!
const serve = createServer((answer, transfer) => port.postMessage(answer, transfer))
port.on('message', message => void serve(message))
