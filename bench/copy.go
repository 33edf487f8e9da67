package bench

import "bytes"

// copyPiece stays in L1.
const copyPiece = 8 << 10

// copyWays is how many ways there are.
const copyWays = 4

// copies are ways to read so many bytes and to write so many with the means of Go's runtime.
//
// What is both read and written is copied. What is read beyond that is either copied again and again into a piece that stays in cache, or
// compared with its own neighbour; what is written beyond that is copied from a piece that stays in cache, or cleared. All is done either
// at one go, where the runtime may take instructions that bypass the cache, or piece by piece.
func copies(a *arena, read, written int) (ways [copyWays]func()) {
	src, dst, cached := alloc[byte](a, read), alloc[byte](a, written), alloc[byte](a, copyPiece)
	for i := range src {
		src[i] = 1 // so that all comparisons go to the end
	}
	count := max(1, (max(read, written)+copyPiece-1)/copyPiece)
	for i, rest := range []func(src, dst []byte){throughCache(cached), compareAndClear} {
		ways[2*i] = func() {
			n := copy(dst, src)
			rest(src[n:], dst[n:])
		}
		ways[2*i+1] = func() {
			for k := range count {
				s := src[read*k/count : read*(k+1)/count]
				d := dst[written*k/count : written*(k+1)/count]
				n := copy(d, s)
				rest(s[n:], d[n:])
			}
		}
	}
	return ways
}

// throughCache reads src, or writes dst, whichever is not empty.
func throughCache(cached []byte) func(src, dst []byte) {
	return func(src, dst []byte) {
		for len(src) > 0 {
			src = src[copy(cached, src):]
		}
		for len(dst) > 0 {
			dst = dst[copy(dst, cached):]
		}
	}
}

// compareAndClear does so too. The two halves of src must be equal.
func compareAndClear(src, dst []byte) {
	half := len(src) / 2
	if !bytes.Equal(src[:half], src[half:2*half]) {
		panic("bench: the source of the copies was written to")
	}
	clear(dst)
}
