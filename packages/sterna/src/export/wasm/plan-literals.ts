/** What of a network's memory a module has to carry as it is. */
import type { Segment } from 'sterna-runtime/compile'
import type { CodedRegion } from './code-regions.ts'

/** So many bytes of 0 cost as much as a new segment. */
const longestGap = 8
/** Shorter runs stay what they are: each fill cuts a segment in two. */
const shortestFill = 64

/** Memory with the same byte everywhere. */
export interface Fill {
  readonly address: number
  readonly length: number
  readonly value: number
}

export interface Literals {
  readonly segments: readonly Segment[]
  readonly fills: readonly Fill[]
}

/** All bytes that are not 0, less what is made of coded levels. */
export function planLiterals(memory: Uint8Array, coded: readonly CodedRegion[]): Literals {
  const image = memory.slice()
  for (const { region } of coded) {
    if (region.kind === 'lookup') {
      image.fill(0, region.address, region.end)
      continue
    }
    const { records, recordBytes, entries, end } = region
    image.fill(0, entries, end)
    for (let record = records; record < entries; record += recordBytes) image.fill(0, record, record + 8)
  }
  const fills = takeFills(image)
  return { segments: segmentsOf(image), fills }
}

/** Finds long runs, the planes around maps whose zero is another byte, and clears them. */
function takeFills(image: Uint8Array): Fill[] {
  const fills: Fill[] = []
  for (let address = 0, end = 0; address < image.length; address = end) {
    const value = image[address]!
    for (end = address + 1; end < image.length && image[end] === value; end++);
    if (value === 0 || end - address < shortestFill) continue
    fills.push({ address, length: end - address, value })
    image.fill(0, address, end)
  }
  return fills
}

function segmentsOf(image: Uint8Array): Segment[] {
  const segments: Segment[] = []
  let address = 0
  let end = 0
  const close = (): void => {
    if (end > address) segments.push({ address, bytes: image.slice(address, end) })
  }
  for (let place = 0; place < image.length; place++) {
    if (image[place] === 0) continue
    if (place - end > longestGap) {
      close()
      address = place
    }
    end = place + 1
  }
  close()
  return segments
}
