/** A batch in shared memory, of which several threads take one image after the other. */

/** Of a `state`: the first image that no thread has taken, and how many images lie in the memory already. */
const [next, ready] = [0, 1]

/** A cache line: threads do not wait for each other's, and copies to shared memory are fast only if aligned. */
const lineFloats = 16

/** One model input or output of a batch: all its images, and how many numbers one takes. */
export interface BatchArray {
  readonly data: Float32Array
  readonly size: number
}

export interface SharedBatch {
  readonly images: number
  /** One array for each input of the model, and one for each output. */
  readonly inputs: readonly Float32Array[]
  readonly outputs: readonly Float32Array[]
  readonly state: Int32Array
}

/**
 * Room for a batch; `fill` brings the images.
 * @param spare memory of an earlier batch: fresh memory costs more than what is copied into it
 */
export function createSharedBatch(
  images: number,
  inputs: readonly BatchArray[],
  outputs: readonly BatchArray[],
  spare: Float32Array | undefined,
): { readonly batch: SharedBatch; readonly memory: Float32Array } {
  const roomOf = ({ data }: BatchArray): number => Math.ceil(data.length / lineFloats) * lineFloats
  const length = [...inputs, ...outputs].reduce((sum, array) => sum + roomOf(array), lineFloats)
  const memory =
    spare !== undefined && spare.length >= length
      ? spare
      : new Float32Array(new SharedArrayBuffer(length * Float32Array.BYTES_PER_ELEMENT))
  let end = lineFloats
  const place = (array: BatchArray): Float32Array => {
    const start = end
    end += roomOf(array)
    return memory.subarray(start, start + array.data.length)
  }
  const batch = {
    images,
    inputs: inputs.map(place),
    outputs: outputs.map(place),
    state: new Int32Array(memory.buffer, 0, 2).fill(0),
  }
  return { batch, memory }
}

/** Copies the images in, one after the other; threads may take those that are there. */
export function fill({ images, inputs, state }: SharedBatch, from: readonly BatchArray[]): void {
  for (let image = 0; image < images; image++) {
    for (let i = 0; i < from.length; i++) {
      const { data, size } = from[i]!
      inputs[i]!.set(data.subarray(image * size, (image + 1) * size), image * size)
    }
    Atomics.store(state, ready, image + 1)
    Atomics.notify(state, ready)
  }
}

/** @returns an image that no other thread takes, `images` or more where there is none left */
export const takeImage = ({ state }: SharedBatch): number => Atomics.add(state, next, 1)

/** Waits until an image has been copied in. Not for threads that must not wait, as a page's. */
export function awaitImage({ state }: SharedBatch, image: number): void {
  for (let count = Atomics.load(state, ready); count <= image; count = Atomics.load(state, ready)) {
    Atomics.wait(state, ready, count)
  }
}
