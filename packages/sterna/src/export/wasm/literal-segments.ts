/** What of a network's memory a module has to carry as it is. */
import type { Segment } from 'sterna-runtime/compile'
import type { CodedRegion } from './code-regions.ts'

/** So many bytes of 0 cost as much as a new segment. */
const longestGap = 8

/** All bytes that are not 0, less what is made of coded levels. */
export function literalSegments(memory: Uint8Array, coded: readonly CodedRegion[]): Segment[] {
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
