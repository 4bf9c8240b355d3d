import { branch, type Code, f32x4, get, i32, type Local, when } from '../../../assembler/instructions.ts'

/** Stores a vector, or as many of its lanes as there is room for before `end`: at least one. */
export function storeRest(output: Local, end: Local, value: Local): Code {
  const lane = (index: number): Code => f32x4.storeLane(get(output), get(value), index, 4 * index)
  const hasRoom = (floats: number): Code => i32.atMost(i32.add(get(output), i32.const(4 * floats)), get(end))
  return branch(hasRoom(4), f32x4.store(get(output), get(value)), [
    lane(0),
    [1, 2].map(index => when(hasRoom(index + 1), lane(index))),
  ])
}
