/** Makes a file that shows a finding smaller while it still shows it. */
import { fileOf, sectionsOf } from './container.mjs'

/**
 * Cuts and zeroes ever smaller pieces of the sections, checksums repaired.
 * @param shows whether a file still shows the finding
 * @param seconds after which what is found so far is good enough
 */
export async function minimise(file, shows, seconds = 20) {
  const endMs = performance.now() + 1000 * seconds
  let best = file
  let sections
  try {
    sections = sectionsOf(file)
    if (!(await shows(fileOf(sections)))) return file
  } catch {
    return file // Its container is what is hostile.
  }
  const attempt = async (index, bytes) => {
    const changed = sections.map((section, i) => (i === index ? { ...section, bytes } : section))
    const smaller = fileOf(changed)
    if (!(await shows(smaller))) return false
    sections = changed
    best = smaller
    return true
  }
  for (let index = sections.length - 1; index >= 0; index--) {
    for (let size = sections[index].bytes.length; size >= 1; size = Math.floor(size / 2)) {
      for (let at = 0; at < sections[index].bytes.length && performance.now() < endMs; ) {
        const { bytes } = sections[index]
        const cut = Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at + size)])
        if (await attempt(index, cut)) continue
        const piece = bytes.subarray(at, at + size)
        if (piece.some(byte => byte !== 0)) await attempt(index, bytes.slice().fill(0, at, at + size))
        at += size
      }
    }
  }
  return best
}
