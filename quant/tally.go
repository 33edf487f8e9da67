package quant

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// tally counts bit patterns by their upper 16 bits, in two tables in turn: where neighbours are equal, the second one need not wait until the first is
// counted. The same bin of two tables is not at the same place in a page, or a load of the one would seem to be of the other. The tables stay for the next
// elements, and are summed when they are read.
type tally struct {
	first   [bins]uint32
	_       [1040]byte
	second  [bins]uint32
	counted uint32        // at least what the tables hold, so that none of their counts overflows
	more    *[bins]uint64 // what they do not hold; nil: nothing
}

func (t *tally) reset() { *t = tally{} }

// of returns how many were counted with those upper 16 bits.
func (t *tally) of(upper uint16) uint64 {
	n := uint64(t.first[upper]) + uint64(t.second[upper])
	if t.more != nil {
		n += t.more[upper]
	}
	return n
}

// tallyRun is the number of bit patterns that none looks at.
const tallyRun = 16

// none tells whether the tables hold nothing, if they hold all, with those upper 16 bits and with others that differ in the lowest four. It loads two
// counts at a time.
func (t *tally) none(upper uint16) bool {
	i := upper &^ (tallyRun - 1)
	a, b := (*[tallyRun / 2]uint64)(unsafe.Pointer(&t.first[i])), (*[tallyRun / 2]uint64)(unsafe.Pointer(&t.second[i]))
	any := uint64(0)
	for j := range a {
		any |= a[j] | b[j]
	}
	return any == 0 && t.more == nil
}

// add counts n at once.
func (t *tally) add(upper uint16, n uint64) {
	if n > uint64(math.MaxUint32-t.counted) {
		if t.more == nil {
			t.more = new([bins]uint64)
		}
		t.more[upper] += n
		return
	}
	t.first[upper] += uint32(n)
	t.counted += uint32(n)
}

// begin makes room for as many as it returns, at most n.
func (t *tally) begin(n int) int {
	if t.counted == math.MaxUint32 {
		if t.more == nil {
			t.more = new([bins]uint64)
		}
		for i := range t.more {
			t.more[i] += uint64(t.first[i]) + uint64(t.second[i])
		}
		clear(t.first[:])
		clear(t.second[:])
		t.counted = 0
	}
	n = int(min(uint64(n), uint64(math.MaxUint32-t.counted)))
	t.counted += uint32(n)
	return n
}

// count counts elements of 16 bits for which there is room, in the first table and in another one. To load four at a time takes less than to load each.
func (t *tally) count(x []uint16, second *[bins]uint32) {
	const some = 16
	for ; len(x) >= some; x = x[some:] {
		y := (*[2 * some]byte)(unsafe.Pointer(unsafe.SliceData(x)))
		t.four(y[:8], second)
		t.four(y[8:16], second)
		t.four(y[16:24], second)
		t.four(y[24:], second)
	}
	for _, b := range x {
		t.first[b]++
	}
}

func (t *tally) four(x []byte, second *[bins]uint32) {
	w := binary.NativeEndian.Uint64(x)
	t.first[uint16(w)]++
	second[uint16(w>>16)]++
	t.first[uint16(w>>32)]++
	second[w>>48]++
}

// other returns the second table for such elements. Those of float16 are in so many bins that the caches keep one table better than two, which gain
// nothing unless elements repeat.
func (t *tally) other(x []uint16, e element) *[bins]uint32 {
	const short, sample = 1 << 12, 1 << 7
	if e != elementF16 || len(x) < short {
		return &t.second
	}
	x = x[:sample]
	repeated := 0
	for i := 1; i < len(x); i++ {
		if x[i] == x[i-1] {
			repeated++
		}
	}
	if repeated > sample/32 {
		return &t.second
	}
	return &t.first
}

// countUpper counts the upper halves of elements of 32 bits for which there is room, and loads two at a time.
func (t *tally) countUpper(x []uint32) {
	const some = 8
	for ; len(x) >= some; x = x[some:] {
		y := (*[4 * some]byte)(unsafe.Pointer(unsafe.SliceData(x)))
		t.two(y[:8])
		t.two(y[8:16])
		t.two(y[16:24])
		t.two(y[24:])
	}
	for _, b := range x {
		t.first[b>>16]++
	}
}

func (t *tally) two(x []byte) {
	w := binary.NativeEndian.Uint64(x)
	t.first[uint16(w>>16)]++
	t.second[w>>48]++
}
