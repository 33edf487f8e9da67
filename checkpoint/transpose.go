package checkpoint

import (
	"unsafe"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/asm"
	"github.com/lowbit-go/lowbit/internal/isa"
)

// wordsOf is how many words an implementation's registers have.
func wordsOf(impl asm.ISA) int {
	switch impl {
	case asm.NEON:
		return 4
	case asm.AVX2:
		return 8
	}
	return 16
}

// transpose sets row j of dst to column j of src. Rows lie so many elements apart.
func transpose[E uint32 | int32 | float32 | float16.Float16 | bf16.BFloat16](dst []E, dstStride int, src []E, srcStride, rows, cols int) {
	size, kind := 4, asm.Bits32
	if unsafe.Sizeof(*new(E)) == 2 {
		size, kind = 2, asm.Bits16
	}
	wide := 16 / size
	doneRows, doneCols := 0, cols/wide*wide
	if impl := isa.Current(); impl != asm.Generic && doneCols > 0 {
		high := 4 * wordsOf(impl) / size
		doneRows = rows / high * high
		for r := 0; r < doneRows; r += high {
			to, from := dst[r:][:(doneCols-1)*dstStride+high], src[r*srcStride:][:(high-1)*srcStride+doneCols]
			asm.Transpose(impl, kind, (*uint32)(unsafe.Pointer(&to[0])), (*uint32)(unsafe.Pointer(&from[0])), size*dstStride, size*srcStride, doneCols/wide)
		}
	}
	for r := range rows {
		from := 0
		if r < doneRows {
			from = doneCols
		}
		for c := from; c < cols; c++ {
			dst[c*dstStride+r] = src[r*srcStride+c]
		}
	}
}

// A tile of a matrix of words has its rows side by side, so that a core's first cache has it: of rows that are a power of two apart a cache has but
// a few. Tiles of words of nibbles are narrower than those of words.
const (
	tileRows = 128
	tileCols = 16
	tileLen  = tileRows * tileCols
	wordRows = 32
	wordCols = tileLen / wordRows
)

// copyRows copies some rows and columns of src to a tile.
func copyRows(tile []uint32, stride int, src []uint32, srcStride, rows, cols int) {
	for r := range rows {
		copy(tile[r*stride:][:cols], src[r*srcStride:])
	}
}

// transposeTiles is transpose for rows that are a power of two apart.
func transposeTiles(s *scratch, dst []uint32, dstStride int, src []uint32, srcStride, rows, cols int) {
	tile := lend[uint32](&s.bytes, tileLen)
	for c := 0; c < cols; c += wordCols {
		for r := 0; r < rows; r += wordRows {
			high, wide := min(wordRows, rows-r), min(wordCols, cols-c)
			copyRows(tile, wordCols, src[r*srcStride+c:], srcStride, high, wide)
			transpose(dst[c*dstStride+r:], dstStride, tile, wordCols, high, wide)
		}
	}
}

// transposeNibbles makes a stream of each column of nibbles: column k of the eight of a word is nibble order[k]. Streams lie dstStride words apart
// and have room for a multiple of tileRows.
func transposeNibbles(s *scratch, dst []uint32, dstStride int, src []uint32, srcStride, rows, words int, order *[8]int) {
	impl := isa.Current()
	all := lend[uint32](&s.bytes, 2*tileLen)
	tile, squares := all[:tileLen], all[tileLen:]
	for c := 0; c < words; c += tileCols {
		for r := 0; r < rows; r += tileRows {
			high, wide := min(tileRows, rows-r), min(tileCols, words-c)
			copyRows(tile, tileCols, src[r*srcStride+c:], srcStride, high, wide)
			clear(tile[high*tileCols:])
			eights := (high + 7) / 8
			if impl == asm.Generic {
				transposeSquares(squares, tile, eights)
			} else {
				for at := 0; at < wide; at += wordsOf(impl) {
					asm.Transpose(impl, asm.Bits4, &squares[at], &tile[at], tileLen/8*4, tileCols*4, eights)
				}
			}
			for k, nibble := range order {
				transpose(dst[(8*c+k)*dstStride+r/8:], 8*dstStride, squares[nibble*tileLen/8:], tileCols, eights, wide)
			}
		}
	}
}

// transposeSquares transposes squares of eight nibbles of eight rows of a tile: nibble k of word j becomes nibble j of word k. The words k of all
// eights lie side by side.
func transposeSquares(dst, tile []uint32, eights int) {
	for n := range eights {
		for w := 0; w < tileCols; w += 2 {
			at, to := tile[8*n*tileCols+w:], dst[n*tileCols+w:]
			var x [8]uint64
			for i := range x {
				x[i] = uint64(at[i*tileCols]) | uint64(at[i*tileCols+1])<<32
			}
			for shift, low := 16, uint64(0x0000ffff_0000ffff); shift >= 4; shift, low = shift/2, low^low<<(shift/2) {
				for i := range x {
					if j := i + shift/4; i&(shift/4) == 0 {
						t := (x[i]>>shift ^ x[j]) & low
						x[i], x[j] = x[i]^t<<shift, x[j]^t
					}
				}
			}
			for i, v := range x {
				to[i*tileLen/8], to[i*tileLen/8+1] = uint32(v), uint32(v>>32)
			}
		}
	}
}
