/** The binary version of CIFAR-10 and CIFAR-100: records of label bytes and 3 planes of 32×32 pixels. */
import { SternaError, type Tensor, tensor } from '../core/index.ts'

const SIDE = 32
const PIXEL_BYTES = 3 * SIDE * SIDE

export interface Cifar10Batch {
  /** [N, 3, 32, 32], red, green, blue. */
  readonly images: Tensor<'u8'>
  /** [N], 0 to 9. */
  readonly labels: Tensor<'u8'>
}

export interface Cifar100Batch {
  /** [N, 3, 32, 32], red, green, blue. */
  readonly images: Tensor<'u8'>
  /** [N], the class, 0 to 99. */
  readonly labels: Tensor<'u8'>
  /** [N], the superclass, 0 to 19. */
  readonly coarseLabels: Tensor<'u8'>
}

/** Reads one CIFAR-10 batch of any number of records. @throws SternaError 'file/truncated' or 'file/damaged' */
export function readCifar10Batch(bytes: Uint8Array): Cifar10Batch {
  const { images, labels } = readRecords('CIFAR-10', bytes, [10])
  return { images, labels: labels[0]! }
}

/** Reads CIFAR-100's train or test file. @throws SternaError 'file/truncated' or 'file/damaged' */
export function readCifar100Batch(bytes: Uint8Array): Cifar100Batch {
  const { images, labels } = readRecords('CIFAR-100', bytes, [20, 100])
  return { images, labels: labels[1]!, coarseLabels: labels[0]! }
}

/** @param classCounts number of classes of each label byte */
function readRecords(
  format: string,
  bytes: Uint8Array,
  classCounts: readonly number[],
): { images: Tensor<'u8'>; labels: Tensor<'u8'>[] } {
  const recordBytes = classCounts.length + PIXEL_BYTES
  const count = Math.floor(bytes.length / recordBytes)
  if (count === 0 || bytes.length % recordBytes !== 0) {
    throw new SternaError(
      'file/truncated',
      `${format}: expected records of ${recordBytes} bytes, found ${bytes.length} bytes`,
      { hint: 'is this a file of the binary version (.bin), unpacked?' },
    )
  }
  const pixels = new Uint8Array(count * PIXEL_BYTES)
  const labels = classCounts.map(() => new Uint8Array(count))
  for (let record = 0; record < count; record++) {
    const at = record * recordBytes
    for (const [position, classCount] of classCounts.entries()) {
      const label = bytes[at + position]!
      if (label >= classCount) {
        throw new SternaError(
          'file/damaged',
          `${format} at byte ${at + position}: label ${label} in record ${record}, expected below ${classCount}`,
          { detail: { offset: at + position } },
        )
      }
      labels[position]![record] = label
    }
    pixels.set(bytes.subarray(at + classCounts.length, at + recordBytes), record * PIXEL_BYTES)
  }
  return {
    images: tensor('u8', [count, 3, SIDE, SIDE], pixels),
    labels: labels.map(values => tensor('u8', [count], values)),
  }
}
