/** The work of a worker: it loads a model once, then runs what it is sent. */
import type { Executor } from '../executor.ts'
import { openModel } from '../open.ts'
import { runImageInto } from '../run-images.ts'
import type { Answer, Message } from './messages.ts'
import { awaitImage, takeImage } from './shared-batch.ts'

/** @returns what to do with each message; every message gets one answer */
export function createServer(
  post: (answer: Answer, transfer: ArrayBuffer[]) => void,
): (message: Message) => Promise<void> {
  let executor: Executor | undefined
  return async message => {
    try {
      if ('model' in message) {
        executor = await openModel(message.model, message.options)
        post({}, [])
      } else if ('batch' in message) {
        const { batch } = message
        const { images, inputs, outputs } = batch
        for (let image = takeImage(batch); image < images; image = takeImage(batch)) {
          awaitImage(batch, image)
          runImageInto(executor!, image, inputs, outputs)
        }
        post({}, [])
      } else {
        const { images, inputs } = message
        const outputs = executor!.outputs.map(({ data }) => new Float32Array(images * data.length))
        for (let image = 0; image < images; image++) runImageInto(executor!, image, inputs, outputs)
        post(
          { outputs },
          outputs.map(({ buffer }) => buffer as ArrayBuffer),
        )
      }
    } catch (error) {
      post({ error }, [])
    }
  }
}
