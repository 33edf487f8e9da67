package bench

import (
	"bytes"
	"sync"

	"github.com/lowbit-go/lowbit/internal/asm"
	"github.com/lowbit-go/lowbit/kernels"
)

// copies are ways to read so many bytes and to write so many, and to do nothing else: by the loops of each implementation that has assembly,
// with stores into the caches and past them, or with the means of Go's runtime if there is no assembly.
func copies(a *arena, read, written int) (ways []func()) {
	src, dst := alloc[byte](a, read), alloc[byte](a, written)
	fill(src, 1) // what was never written to is one page of zeros, in the cache
	cached := alloc[byte](a, copyPiece)
	for _, loop := range loops() {
		ways = append(ways, loop.way(dst, src, cached))
	}
	if len(ways) == 0 {
		ways = runtimeCopies(dst, src, cached)
	}
	return ways
}

func fill(s []byte, value byte) {
	for i := range s {
		s[i] = value
	}
}

// copyLoop is how an implementation copies.
type copyLoop struct {
	isa    asm.ISA
	stores asm.Stores
}

// loops lists those that this program can use here.
var loops = sync.OnceValue(func() (all []copyLoop) {
	for _, name := range kernels.Implementations() {
		switch name {
		case "avx2":
			all = append(all, copyLoop{asm.AVX2, asm.Temporal}, copyLoop{asm.AVX2, asm.NonTemporal})
		case "avx512":
			all = append(all, copyLoop{asm.AVX512, asm.Temporal}, copyLoop{asm.AVX512, asm.NonTemporal})
		case "neon":
			all = append(all, copyLoop{asm.NEON, asm.Temporal})
		}
	}
	return all
})

// line is the unit of what the loops move.
const line = 64

// mixes are the loops' steps: how many lines each reads, and how many it writes, in the order of their ratio.
var mixes = []struct {
	mix           asm.Mix
	read, written int
}{{asm.Mix4to0, 4, 0}, {asm.Mix4to1, 4, 1}, {asm.Mix4to2, 4, 2}, {asm.Mix4to4, 4, 4}, {asm.Mix4to5, 4, 5}, {asm.Mix2to4, 2, 4}, {asm.Mix1to4, 1, 4}, {asm.Mix1to16, 1, 16}}

// run does so many steps.
func (c copyLoop) run(dst, src []byte, mix, steps int) ([]byte, []byte) {
	m := mixes[mix]
	if steps == 0 {
		return dst, src
	}
	stores := c.stores
	if m.written == 0 {
		stores = asm.Temporal
	}
	var to *byte
	if len(dst) > 0 {
		to = &dst[0]
	}
	asm.Copy(c.isa, m.mix, stores, to, &src[0], steps)
	return dst[steps*m.written*line:], src[steps*m.read*line:]
}

// way reads src and writes dst by steps of the two mixes between whose ratios theirs is, in turn and in such numbers that they come out
// together; what is less than a step is left to the runtime.
func (c copyLoop) way(dst, src, cached []byte) func() {
	mix, first, second := split(len(src), len(dst))
	if read, written := mixes[mix].read*line*first, mixes[mix].written*line*first; read == len(src) && written == len(dst) {
		return func() { c.run(dst, src, mix, first) } // without what takes time in a small copy
	}
	turns := 1
	if first > 0 && second > 0 {
		turns = max(1, (len(src)+len(dst))/turn)
	}
	return func() {
		dst, src := dst, src
		for k := range turns {
			dst, src = c.run(dst, src, mix, first*(k+1)/turns-first*k/turns)
			dst, src = c.run(dst, src, mix+1, second*(k+1)/turns-second*k/turns)
		}
		n := copy(dst, src)
		throughCache(dst[n:], src[n:], cached)
	}
}

// turn is how many bytes the two mixes move before it is the first one's turn again: many against the time of a call, few against the caches.
const turn = 64 << 10

// split finds a mix, and how many steps of it and of the next one read and write so much, or a little less.
func split(read, written int) (mix, first, second int) {
	for mix < len(mixes)-2 && mixes[mix+1].read*written >= mixes[mix+1].written*read {
		mix++
	}
	a, b := mixes[mix], mixes[mix+1]
	unit := line * (a.read*b.written - b.read*a.written)
	return mix, max(0, read*b.written-written*b.read) / unit, min((written*a.read-read*a.written)/unit, read/(line*b.read))
}

// copyPiece stays in L1.
const copyPiece = 8 << 10

// runtimeCopies copy what is both read and written. What is read beyond that is either copied again and again into a piece that stays in
// cache, or compared with its own neighbour; what is written beyond that is copied from a piece that stays in cache, or cleared. All is done
// either at one go, where the runtime may take instructions that bypass the cache, or piece by piece.
func runtimeCopies(dst, src, cached []byte) (ways []func()) {
	count := max(1, (max(len(src), len(dst))+copyPiece-1)/copyPiece)
	for _, rest := range []func(dst, src, cached []byte){throughCache, compareAndClear} {
		ways = append(ways, func() {
			n := copy(dst, src)
			rest(dst[n:], src[n:], cached)
		}, func() {
			for k := range count {
				s := src[len(src)*k/count : len(src)*(k+1)/count]
				d := dst[len(dst)*k/count : len(dst)*(k+1)/count]
				n := copy(d, s)
				rest(d[n:], s[n:], cached)
			}
		})
	}
	return ways
}

// throughCache reads src, or writes dst, whichever is not empty.
func throughCache(dst, src, cached []byte) {
	for len(src) > 0 {
		src = src[copy(cached, src):]
	}
	for len(dst) > 0 {
		dst = dst[copy(dst, cached):]
	}
}

// compareAndClear does so too. The two halves of src must be equal.
func compareAndClear(dst, src, _ []byte) {
	half := len(src) / 2
	if !bytes.Equal(src[:half], src[half:2*half]) {
		panic("bench: the source of the copies was written to")
	}
	clear(dst)
}
