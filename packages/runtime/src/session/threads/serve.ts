/** The work of a worker: it loads a model once, then runs what it is sent. */
import type { Executor } from '../executor.ts'
import { openModel } from '../open.ts'
import { runImages } from '../run-images.ts'
import type { Answer, LoadMessage, RunMessage } from './messages.ts'

/** @returns what to do with each message; every message gets one answer */
export function createServer(
  post: (answer: Answer, transfer: ArrayBuffer[]) => void,
): (message: LoadMessage | RunMessage) => Promise<void> {
  let executor: Executor | undefined
  return async message => {
    try {
      if ('model' in message) {
        executor = await openModel(message.model, message.options)
        post({}, [])
        return
      }
      const { images, inputs, shared } = message
      if (shared !== undefined) {
        const { outputs, next } = shared
        const take = (): number => Atomics.add(next, 0, 1)
        for (let image = take(); image < images; image = take()) {
          runImages(executor!, image, image + 1, inputs, outputs)
        }
        post({}, [])
        return
      }
      const outputs = executor!.outputs.map(({ data }) => new Float32Array(images * data.length))
      runImages(executor!, 0, images, inputs, outputs)
      post(
        { outputs },
        outputs.map(({ buffer }) => buffer as ArrayBuffer),
      )
    } catch (error) {
      post({ error }, [])
    }
  }
}
