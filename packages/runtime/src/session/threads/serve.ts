/** The work of a worker: it loads a network once, then runs what it is sent. */
import { type ImageRunner, runImageInto } from '../run-images.ts'
import type { Answer, LoadMessage, Message } from './messages.ts'
import { awaitImage, takeImage } from './shared-batch.ts'

/** @returns what to do with each message; every message gets one answer */
export function createServer(
  post: (answer: Answer, transfer: ArrayBuffer[]) => void,
): (message: Message) => Promise<void> {
  let runner: ImageRunner | undefined
  return async message => {
    try {
      if ('model' in message || 'module' in message) {
        runner = await open(message)
        post({}, [])
      } else if ('batch' in message) {
        const { batch } = message
        const { images, inputs, outputs } = batch
        for (let image = takeImage(batch); image < images; image = takeImage(batch)) {
          awaitImage(batch, image)
          runImageInto(runner!, image, inputs, outputs)
        }
        post({}, [])
      } else {
        const { images, inputs } = message
        const outputs = runner!.outputs.map(({ data }) => new Float32Array(images * data.length))
        for (let image = 0; image < images; image++) runImageInto(runner!, image, inputs, outputs)
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

/** A worker of one kind loads nothing of the other. */
async function open(message: LoadMessage): Promise<ImageRunner> {
  if ('module' in message) return (await import('../compiled-network.ts')).openCompiled(message.module)
  return (await import('../open.ts')).openModel(message.model, message.options)
}
