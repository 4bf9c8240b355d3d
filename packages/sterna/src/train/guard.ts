/** Stops a training that has gone wrong, and says where. */
import { SternaError, type Tensor } from '../core/index.ts'

/** A loss this many times the first one counts as exploded. */
const EXPLOSION = 1e4

const HINT = 'a lower learning rate or a warm-up usually helps; earlier checkpoints are intact'

/** Throws when `loss` is not finite or has exploded; `inspect` fetches the tensors as they are now. */
export async function guardLoss(
  loss: number,
  firstLoss: number,
  where: string,
  inspect: () => Promise<ReadonlyMap<string, Tensor>>,
): Promise<void> {
  const finite = Number.isFinite(loss)
  if (finite && loss <= EXPLOSION * Math.max(firstLoss, 1)) return
  const tensors = await inspect()
  const suspects = brokenTensors(tensors) ?? largestTensor(tensors)
  throw new SternaError(
    finite ? 'train/diverged' : 'train/non-finite',
    finite
      ? `${where}: the loss exploded to ${loss.toPrecision(3)} (first ${firstLoss.toPrecision(3)}); ${suspects}`
      : `${where}: the loss is ${loss}; ${suspects}`,
    { hint: HINT },
  )
}

/** Throws when a tensor holds a non-finite value: no checkpoint may keep such a state. */
export function guardTensors(tensors: ReadonlyMap<string, Tensor>, where: string): void {
  const broken = brokenTensors(tensors)
  if (broken !== undefined) throw new SternaError('train/non-finite', `${where}: ${broken}`, { hint: HINT })
}

function brokenTensors(tensors: ReadonlyMap<string, Tensor>): string | undefined {
  const broken: string[] = []
  for (const [name, { dtype, data }] of tensors) {
    if (dtype !== 'f32') continue
    let bad = 0
    for (const value of data as Float32Array) if (!Number.isFinite(value)) bad++
    if (bad > 0) broken.push(`${name} (${bad} of ${data.length})`)
  }
  if (broken.length === 0) return undefined
  const more = broken.length > 4 ? ` and ${broken.length - 4} more` : ''
  return `non-finite values in ${broken.slice(0, 4).join(', ')}${more}`
}

function largestTensor(tensors: ReadonlyMap<string, Tensor>): string {
  let largest = { name: '', size: -1 }
  for (const [name, { dtype, data }] of tensors) {
    if (dtype !== 'f32') continue
    for (const value of data as Float32Array) {
      if (Math.abs(value) > largest.size) largest = { name, size: Math.abs(value) }
    }
  }
  return `all tensors are finite, the largest value is ${largest.size.toPrecision(3)} in ${largest.name}`
}
