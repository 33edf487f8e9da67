package quant

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"math/bits"
	"slices"
	"sync"
	"unsafe"

	"github.com/lowbit-go/lowbit/kernels"
)

// bins is the number of bins of a histogram.
const bins = 1 << 16

// Histogram counts the elements of a tensor by value. Its bins are the same for all tensors of a type: an element's bin is the upper
// 16 bits of its own bit pattern, in the order of the values, -0 below +0. For float16 and bfloat16 that is the value itself, for float32
// it leaves out 2^-7 of it. NaN is counted apart.
//
// Counts are integers, so a histogram of parts that are merged is that of the whole, however it was cut and in whatever order. It
// takes 512 KiB. The zero value is empty. A Histogram is not for several goroutines at a time: each fills its own, and Merge joins them.
type Histogram[T kernels.Float] struct{ h histogram }

// histogram is a Histogram of any element type.
type histogram struct {
	element element
	counts  *[bins]uint64 // nil: all zeros
	nan     uint64
	finite  Range // the least and the greatest finite element
}

// empty is the range of nothing: any number is less and greater.
var empty = Range{float32(math.Inf(1)), float32(math.Inf(-1))}

func (r Range) with(s Range) Range { return Range{min(r.Min, s.Min), max(r.Max, s.Max)} }

func (h *histogram) begin(e element) {
	if h.counts == nil {
		h.element, h.counts, h.finite = e, new([bins]uint64), empty
	}
}

// Add counts elements.
func (h *Histogram[T]) Add(x []T) { add(&h.h, x) }

func add[T kernels.Float](h *histogram, x []T) {
	if len(x) == 0 {
		return
	}
	h.begin(elementOf[T]())
	if len(x) < many(h.element) {
		for part := range slices.Chunk(x, smallPart) {
			addPart(h, nil, part)
		}
		return
	}
	t := tallies.Get().(*tally)
	for part := range slices.Chunk(x, largePart) {
		if t.counted > math.MaxUint32-largePart {
			t.addTo(h)
		}
		if h.element == elementF32 {
			addPart(h, t, part)
		} else {
			count(h.counts, t, part, 1)
		}
	}
	t.addTo(h)
	tallies.Put(t)
}

// many returns so many elements that it takes less time to count them in a tally, and to add that, than to count each in a histogram. What a tally takes
// to be added depends on how many bins have elements, of which float16 has the most.
func many(e element) int {
	switch e {
	case elementF16:
		return 1 << 19
	case elementBF16:
		return 1 << 17
	}
	return 1 << 16
}

// Elements are counted in parts: in a tally in larger ones, as little as there is to do besides.
const (
	smallPart = 1 << 10
	largePart = 1 << 11
)

// tally counts in two tables in turn: where neighbours are equal, the second one need not wait until the first is counted. Its bins are in the
// order of bit patterns. The same bin of two tables is not at the same place in a page, or a load of the one would seem to be of the other.
type tally struct {
	first   [bins]uint32
	_       [1040]byte
	second  [bins]uint32
	_       [1040]byte
	counted uint64
}

// tallies are empty ones.
var tallies = sync.Pool{New: func() any { return new(tally) }}

// addTo adds the counts to those of a histogram, and empties the tally. Elements of 16 bits are their bins: those that are not finite are known by them,
// and so are the ends of the others.
func (t *tally) addTo(h *histogram) {
	infinity, least, most := uint16(0xff<<7), uint16(bins-1), uint16(0)
	if h.element == elementF16 {
		infinity = 0x1f << 10
	}
	largest := uint16(bins/2 - 1)
	if h.element == elementF32 {
		largest = uint16(math.Float32bits(max(-h.finite.Min, h.finite.Max, 0)) >> 16)
	}
	const some = 16
	for i := 0; i < bins; i += some {
		if i&(bins/2-1) > int(largest) {
			i = bins/2 - some + i&(bins/2)
			continue
		}
		a, b := (*[some]uint32)(t.first[i:]), (*[some]uint32)(t.second[i:])
		if anySet(a)|anySet(b) == 0 {
			continue
		}
		for j := range some {
			n := uint64(a[j]) + uint64(b[j])
			upper := uint16(i + j)
			bin, size := bin(upper), upper&(1<<15-1)
			if size > infinity && h.element != elementF32 {
				h.nan += n
				continue
			}
			if size < infinity {
				none := uint16(int64(n-1) >> 63) // all bits, if there is none
				least, most = min(least, bin|none), max(most, bin&^none)
			}
			h.counts[bin] += n
		}
		*a, *b = [some]uint32{}, [some]uint32{}
	}
	t.counted = 0
	if h.element != elementF32 && least <= most {
		h.finite = h.finite.with(Range{h.value(least, middle), h.value(most, middle)})
	}
}

// anySet returns bits, of which none is set if all counts are 0. It loads two at a time.
func anySet(a *[16]uint32) uint64 {
	p := (*[8]uint64)(unsafe.Pointer(a))
	return p[0] | p[1] | p[2] | p[3] | p[4] | p[5] | p[6] | p[7]
}

// four counts in the tables in turn, by 1 or by -1.
func (t *tally) four(a, b, c, d uint16, by uint32) {
	t.first[a] += by
	t.second[b] += by
	t.first[c] += by
	t.second[d] += by
}

// count counts bit patterns.
func (t *tally) count(x []uint16, by uint32) {
	const some = 8
	t.counted += uint64(len(x))
	for ; len(x) >= some; x = x[some:] {
		y := (*[some]uint16)(x)
		t.four(y[0], y[1], y[2], y[3], by)
		t.four(y[4], y[5], y[6], y[7], by)
	}
	for _, b := range x {
		t.first[b] += by
	}
}

// upperHalf says where that of a float32 is.
var upperHalf = int(binary.NativeEndian.Uint16([]byte{1, 0}) & 1)

// countUpper counts the upper halves of bit patterns. To load a half takes less than to load all and to shift it.
func (t *tally) countUpper(x []uint32, by uint32) {
	const some = 16
	t.counted += uint64(len(x))
	n := len(x) / some * some
	if n > 0 {
		z := unsafe.Slice((*uint16)(unsafe.Pointer(&x[0])), 2*n)[upperHalf:]
		for i := 0; i < n; i += some {
			y := (*[2*some - 1]uint16)(z[2*i:])
			t.four(y[0], y[2], y[4], y[6], by)
			t.four(y[8], y[10], y[12], y[14], by)
			t.four(y[16], y[18], y[20], y[22], by)
			t.four(y[24], y[26], y[28], y[30], by)
		}
	}
	for _, b := range x[n:] {
		t.first[b>>16] += by
	}
}

// addPart is add for elements that stay in a cache near by. Hardly any are not finite: only then each is looked at, and what was counted is taken back. They are
// counted first, as to fetch them takes no longer than to count them.
func addPart[T kernels.Float](h *histogram, t *tally, x []T) {
	count(h.counts, t, x, 1)
	var least, most [1]T
	kernels.MinMax(least[:], most[:], x, kernels.Grid{Rows: 1, Groups: 1, Len: len(x)})
	var ends [2]float32
	widen(ends[:1], least[:])
	widen(ends[1:], most[:])
	if ends[0] >= -math.MaxFloat32 && ends[1] <= math.MaxFloat32 {
		negativeZero := float32(math.Copysign(0, -1)) // MinMax knows one zero; the counts, of the element's own bits, tell which there are
		if ends[0] == 0 && h.counted(t, 1<<15) {
			ends[0] = negativeZero
		}
		if ends[1] == 0 && !h.counted(t, 0) {
			ends[1] = negativeZero
		}
		h.finite = h.finite.with(Range{ends[0], ends[1]})
		return
	}
	count(h.counts, t, x, -1)
	h.nan += countBins(h.counts, x)
	for part := range slices.Chunk(x, smallPart) {
		var wide [smallPart]float32
		for _, v := range widened(wide[:len(part)], part) {
			if v <= h.finite.Min && v >= -math.MaxFloat32 {
				h.finite.Min = min(h.finite.Min, v) // of two zeros -0, whichever comes first
			}
			if v >= h.finite.Max && v <= math.MaxFloat32 {
				h.finite.Max = max(h.finite.Max, v)
			}
		}
	}
}

// counted tells whether the bin of such bit patterns has elements, in a histogram or in a tally for it, if there is one.
func (h *histogram) counted(t *tally, upper uint16) bool {
	return h.counts[bin(upper)] > 0 || t != nil && t.first[upper]|t.second[upper] > 0
}

// count adds by to the counts of elements by their upper 16 bits, NaN among them, in a tally if there is one.
func count[T kernels.Float](counts *[bins]uint64, t *tally, x []T, by int) {
	p := unsafe.Pointer(unsafe.SliceData(x))
	if elementOf[T]() == elementF32 {
		x := unsafe.Slice((*uint32)(p), len(x))
		if t != nil {
			t.countUpper(x, uint32(by))
			return
		}
		for _, b := range x {
			counts[bin(uint16(b>>16))] += uint64(by)
		}
		return
	}
	y := unsafe.Slice((*uint16)(p), len(x))
	if t != nil {
		t.count(y, uint32(by))
		return
	}
	for _, b := range y {
		counts[bin(b)] += uint64(by)
	}
}

// widened returns elements as float32: themselves, or a copy in wide.
func widened[T kernels.Float](wide []float32, x []T) []float32 {
	if x, ok := any(x).([]float32); ok {
		return x
	}
	widen(wide, x)
	return wide
}

// countBins adds elements to the counts of their bins, and returns how many are NaN.
func countBins[T kernels.Float](counts *[bins]uint64, x []T) (nan uint64) {
	p := unsafe.Pointer(unsafe.SliceData(x))
	if elementOf[T]() == elementF32 {
		for _, b := range unsafe.Slice((*uint32)(p), len(x)) {
			if b&(1<<31-1) > 0xff<<23 {
				nan++
				continue
			}
			counts[bin(uint16(b>>16))]++
		}
		return nan
	}
	infinity := uint16(0xff << 7)
	if elementOf[T]() == elementF16 {
		infinity = 0x1f << 10
	}
	for _, b := range unsafe.Slice((*uint16)(p), len(x)) {
		if b&(1<<15-1) > infinity {
			nan++
			continue
		}
		counts[bin(b)]++
	}
	return nan
}

// bin is the bin of a number with those upper 16 bits.
func bin(b uint16) uint16 { return b ^ (uint16(int16(b)>>15) | 1<<15) }

// upper is the inverse of bin.
func upper(bin uint16) uint16 { return bin ^ (uint16(int16(^bin)>>15) | 1<<15) }

// place says which number stands for a bin of float32.
type place uint8

const (
	lowEdge place = iota
	middle
	highEdge
)

// value returns a number of a bin; infinity has a bin of its own.
func (h *histogram) value(bin uint16, at place) float32 {
	b := upper(bin)
	if h.element != elementF32 {
		return h.element.fromBits(uint32(b))
	}
	if b&(1<<15-1) == 0xff<<7 {
		return math.Float32frombits(uint32(b) << 16)
	}
	low := uint32(0x8000)
	if at != middle {
		low = 0
		if (at == highEdge) == (b>>15 == 0) { // away from zero
			low = 0xffff
		}
	}
	return math.Float32frombits(uint32(b)<<16 | low)
}

// Merge adds the counts of another histogram.
func (h *Histogram[T]) Merge(other *Histogram[T]) { h.h.merge(&other.h) }

func (h *histogram) merge(other *histogram) {
	if other.counts == nil {
		return
	}
	h.begin(other.element)
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.nan += other.nan
	h.finite = h.finite.with(other.finite)
}

// Count returns how many elements were counted, without NaN, and how many are NaN.
func (h *Histogram[T]) Count() (n, nan uint64) { return h.h.count(), h.h.nan }

func (h *histogram) count() (n uint64) {
	if h.counts != nil {
		for _, c := range h.counts {
			n += c
		}
	}
	return n
}

// Range returns the least and the greatest element but NaN; with none, Min is +Inf and Max -Inf.
func (h *Histogram[T]) Range() Range { return h.h.seen() }

func (h *histogram) seen() Range {
	if h.counts == nil {
		return empty
	}
	r, infinity := h.finite, uint16(0xff<<7)
	if h.element == elementF16 {
		infinity = 0x1f << 10
	}
	for _, b := range [2]uint16{infinity, infinity | 1<<15} {
		if i := bin(b); h.counts[i] > 0 {
			v := h.value(i, middle)
			r = r.with(Range{v, v})
		}
	}
	return r
}

// Percentile returns the range that leaves out what is beyond the order statistics of rank k = max(1, ceil(n*num/den)) of the n elements
// that are not NaN: Max is the k-th smallest and Min the k-th largest, or of float32 the outer edge of their bins, which is within 2^-7
// of them, but not beyond the elements' range. num/den, at most 1, gives the range itself at 1. The result is NaN with no element to go by.
func (h *Histogram[T]) Percentile(num, den uint64) Range { return h.h.percentile(num, den) }

func (h *histogram) percentile(num, den uint64) Range {
	n := h.count()
	if n == 0 {
		nan := float32(math.NaN())
		return Range{nan, nan}
	}
	k, seen := rank(n, num, den), h.seen()
	r := Range{}
	for bin, left := 0, k; ; bin++ {
		if c := h.counts[bin]; c < left {
			left -= c
			continue
		}
		r.Max = min(h.value(uint16(bin), highEdge), seen.Max)
		break
	}
	for bin, left := bins-1, k; ; bin-- {
		if c := h.counts[bin]; c < left {
			left -= c
			continue
		}
		r.Min = max(h.value(uint16(bin), lowEdge), seen.Min)
		break
	}
	return r
}

// rank returns max(1, ceil(n*num/den)), for num <= den.
func rank(n, num, den uint64) uint64 {
	hi, lo := bits.Mul64(n, num)
	k, rest := bits.Div64(hi, lo, den)
	if rest > 0 {
		k++
	}
	return max(1, k)
}

// The encoding of a histogram, little-endian: the magic bytes, the element type (1 byte), the count of NaN (8), the finite ends (4 each),
// the number of bins that are not empty (4), and for each, in ascending order, its number (2) and its count (8).
const histogramMagic = "LBHIST1"

// AppendBinary appends the encoding of the histogram, which UnmarshalBinary reads: ten bytes for each bin that is not empty.
func (h *Histogram[T]) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, histogramMagic...)
	b = append(b, byte(elementOf[T]()))
	b = binary.LittleEndian.AppendUint64(b, h.h.nan)
	finite := empty
	if h.h.counts != nil {
		finite = h.h.finite
	}
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(finite.Min))
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(finite.Max))
	at, used := len(b), uint32(0)
	b = append(b, 0, 0, 0, 0)
	for i, n := range h.h.used() {
		used++
		b = binary.LittleEndian.AppendUint16(b, i)
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	binary.LittleEndian.PutUint32(b[at:], used)
	return b, nil
}

// used yields the bins that are not empty, in ascending order.
func (h *histogram) used() iter.Seq2[uint16, uint64] {
	return func(yield func(uint16, uint64) bool) {
		if h.counts == nil {
			return
		}
		for i, n := range h.counts {
			if n > 0 && !yield(uint16(i), n) {
				return
			}
		}
	}
}

// MarshalBinary returns the encoding of the histogram.
func (h *Histogram[T]) MarshalBinary() ([]byte, error) { return h.AppendBinary(nil) }

// UnmarshalBinary replaces the histogram by an encoded one. Data that is not one, or is one of another element type, is an ErrState and
// leaves the histogram as it was.
func (h *Histogram[T]) UnmarshalBinary(data []byte) error {
	const head, each = len(histogramMagic) + 1 + 8 + 8 + 4, 10
	if len(data) < head || string(data[:len(histogramMagic)]) != histogramMagic {
		return histogramError("other data", "what MarshalBinary writes")
	}
	if e := data[len(histogramMagic)]; e != byte(elementOf[T]()) {
		return histogramError(fmt.Sprintf("of element type %d", e), fmt.Sprintf("of %d, %s", elementOf[T](), stateNames[elementOf[T]()]))
	}
	b := data[len(histogramMagic)+1:]
	nan := binary.LittleEndian.Uint64(b)
	finite := Range{math.Float32frombits(binary.LittleEndian.Uint32(b[8:])), math.Float32frombits(binary.LittleEndian.Uint32(b[12:]))}
	used := binary.LittleEndian.Uint32(b[16:])
	b = b[20:]
	if uint64(len(b)) != uint64(used)*each {
		return histogramError(fmt.Sprintf("%d bytes of bins", len(b)), fmt.Sprintf("%d for %d bins", uint64(used)*each, used))
	}
	var read histogram
	read.begin(elementOf[T]())
	err := read.fill(nan, func(yield func(uint16, uint64) bool) {
		for ; len(b) > 0; b = b[each:] {
			if !yield(binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint64(b[2:])) {
				return
			}
		}
	})
	if err == nil {
		read.finite = finite
		err = read.checkEnds()
	}
	if err == nil {
		h.h = read
	}
	return err
}

func histogramError(found, want string) error { return &Error{ErrState, "histogram", found, want} }

// fill sets the counts of an empty histogram.
func (h *histogram) fill(nan uint64, used iter.Seq2[uint16, uint64]) error {
	last, total := -1, uint64(0)
	for i, n := range used {
		var carry uint64
		total, carry = bits.Add64(total, n, 0)
		if int(i) <= last || n == 0 || carry > 0 || total > math.MaxInt64 {
			return histogramError(fmt.Sprintf("bin %d with the count %d", i, n), "ascending bins with positive counts, all together below 2^63")
		}
		if v := h.value(i, middle); v != v {
			return histogramError(fmt.Sprintf("bin %d", i), "no bin of NaN")
		}
		h.counts[i], last = n, int(i)
	}
	if nan > math.MaxInt64 {
		return histogramError(fmt.Sprintf("the count %d of NaN", nan), "less than 2^63")
	}
	h.nan = nan
	return nil
}

// checkEnds holds the finite ends against the outermost bins of finite numbers.
func (h *histogram) checkEnds() error {
	outer := empty
	for i := range h.used() {
		if v := h.value(i, middle); math.Abs(float64(v)) <= math.MaxFloat32 {
			outer = outer.with(Range{h.value(i, lowEdge), h.value(i, highEdge)})
		}
	}
	inside := outer
	for i := range h.used() { // the innermost ends that those bins allow
		low, high := h.value(i, lowEdge), h.value(i, highEdge)
		if low == outer.Min {
			inside.Min = high
		}
		if high == outer.Max {
			inside.Max = low
		}
	}
	if f := h.finite; !(outer.Min <= f.Min && f.Min <= inside.Min && inside.Max <= f.Max && f.Max <= outer.Max) {
		return histogramError(fmt.Sprintf("a range %v to %v", f.Min, f.Max), fmt.Sprintf("ends within the outermost bins, %v to %v and %v to %v", outer.Min, inside.Min, inside.Max, outer.Max))
	}
	return nil
}
