/**
 * Measures up to three times, until one is in time: a machine that runs other tests beside is slow now and then, what is
 * slow by itself is so each time. Gives back the last one.
 */
export async function bestOfThree<T>(measure: () => Promise<T>, isInTime: (measured: T) => boolean): Promise<T> {
  for (let left = 2; ; left--) {
    const measured = await measure();
    if (left === 0 || isInTime(measured)) return measured;
  }
}
