/**
 * Where places lie. Their rows of zero and zero planes are written once, when a session begins, so places share memory
 * only with places of the same layout and border, one after the other.
 */
import type { Step } from '../steps.ts'
import { type ByteLayout, maskBytes, maskKey, needsMasks } from './byte-layout.ts'
import { type Place, placesOf } from './byte-step.ts'

export interface Slot {
  readonly address: number
  readonly place: Place
}

export interface Places {
  /** Room for an offset of each weight of the deepest filter and one more, used when a session begins. */
  readonly table: number
  /** Address of each place by name. */
  readonly addresses: ReadonlyMap<string, number>
  /** Each piece of memory once, to be filled before the first run. */
  readonly slots: readonly Slot[]
  /** Where the masks of shifted planes begin, by `maskKey`, and a layout that needs them. */
  readonly masks: ReadonlyMap<string, { readonly address: number; readonly layout: ByteLayout }>
}

/** @param take gives the address of so many new bytes */
export function assignPlaces(steps: readonly Step[], take: (bytes: number) => number): Places {
  const lastUse = new Map<string, number>()
  let deepest = 0
  for (const [index, step] of steps.entries()) {
    if (step.kind !== 'bytes') continue
    const { reads, writes } = placesOf(step)
    if (step.operation.op === 'convolution') deepest = Math.max(deepest, step.operation.linear.depth)
    for (const { name } of reads) lastUse.set(name, index)
    if (writes !== undefined) lastUse.set(writes.name, index)
  }
  const addresses = new Map<string, number>()
  const masks = new Map<string, { readonly address: number; readonly layout: ByteLayout }>()
  const slots: Slot[] = []
  /** By layout and border: each piece of memory and the last step that needs what is in it. */
  const pools = new Map<string, { readonly address: number; busyUntil: number }[]>()
  for (const [index, step] of steps.entries()) {
    const place = step.kind === 'bytes' ? placesOf(step).writes : undefined
    if (place === undefined || addresses.has(place.name)) continue
    const { layout } = place
    const mask = maskKey(layout)
    if (needsMasks(layout) && !masks.has(mask)) masks.set(mask, { address: take(maskBytes(layout)), layout })
    const key = JSON.stringify([layout, place.border])
    const pool = pools.get(key) ?? []
    pools.set(key, pool)
    let slot = pool.find(({ busyUntil }) => busyUntil < index)
    if (slot === undefined) {
      slot = { address: take(layout.bytes), busyUntil: 0 }
      pool.push(slot)
      slots.push({ address: slot.address, place })
    }
    slot.busyUntil = lastUse.get(place.name)!
    addresses.set(place.name, slot.address)
  }
  return { table: take(4 * (deepest + 1)), addresses, slots, masks }
}
