/**
 * A program for tests. `train`: trains in a process of its own, prints the result's digest and leaves the
 * engine open. `leave`: exits with code 3 while steps are running.
 */
import { createHash } from 'node:crypto'
import type { Tensor } from '../../core/index.ts'
import { createEngine } from '../create-engine.node.ts'
import { train, trainingStep } from './training-step.ts'

export function digest(state: ReadonlyMap<string, Tensor>): string {
  const hash = createHash('sha256')
  for (const [name, { data }] of state)
    hash.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  return hash.digest('hex')
}

if (process.argv[2] === 'train') {
  const engine = await createEngine({ device: 'cpu', threads: 2 })
  console.log(digest((await train(engine, 20)).state))
}

if (process.argv[2] === 'leave') {
  const engine = await createEngine({ device: 'cpu', threads: 1 })
  const { program, state, batch } = trainingStep()
  const executable = await engine.load(program)
  await executable.setState(state)
  for (let i = 0; i < 1000; i++) void executable.run(batch)
  setTimeout(() => process.exit(3), 20)
}
