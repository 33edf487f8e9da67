package quant

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"math/bits"
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
// takes 514 KiB, and 1 MiB from 2^32 elements on. The zero value is empty. A Histogram is not for several goroutines at a time: each fills its own, and
// Merge joins them.
type Histogram[T kernels.Float] struct{ h histogram }

// histogram is a Histogram of any element type.
type histogram struct {
	element element
	counts  *tally // nil: of nothing
	total   uint64 // all elements
	nan     uint64 // those NaN that are in no bin
	finite  Range  // the least and the greatest finite element, but for those of 16 bits that were added, which the counts tell
}

// empty is the range of nothing: any number is less and greater.
var empty = Range{float32(math.Inf(1)), float32(math.Inf(-1))}

func (r Range) with(s Range) Range { return Range{min(r.Min, s.Min), max(r.Max, s.Max)} }

func (h *histogram) begin(e element) {
	if h.counts == nil {
		h.element, h.counts, h.finite = e, new(tally), empty
	}
}

// reset empties a histogram of float32, and keeps its tables.
func (h *histogram) reset() {
	h.begin(elementF32)
	h.counts.reset()
	*h = histogram{element: elementF32, counts: h.counts, finite: empty}
}

// Add counts elements.
func (h *Histogram[T]) Add(x []T) { add(&h.h, x) }

func add[T kernels.Float](h *histogram, x []T) {
	const part, longPart = 1 << 11, 1 << 14 // float32 are looked at again, float16 beforehand
	for len(x) > 0 {
		h.begin(elementOf[T]())
		t, p, n := h.counts, unsafe.Pointer(unsafe.SliceData(x)), len(x)
		if h.element == elementF32 {
			n = t.begin(min(n, part))
			t.countUpper(unsafe.Slice((*uint32)(p), n))
			h.addEnds(unsafe.Slice((*float32)(p), n))
		} else {
			n = t.begin(min(n, longPart))
			y := unsafe.Slice((*uint16)(p), n)
			t.count(y, t.other(y, h.element))
		}
		h.total += uint64(n)
		x = x[n:]
	}
}

// addEnds widens the finite range by float32 elements that were counted. Hardly any are not finite: only then each is looked at, and a NaN that
// was counted as infinity is taken back. They are counted first, as to fetch them takes no longer than to count them.
func (h *histogram) addEnds(x []float32) {
	var least, most [1]float32
	kernels.MinMax(least[:], most[:], x, kernels.Grid{Rows: 1, Groups: 1, Len: len(x)})
	if least[0] >= -math.MaxFloat32 && most[0] <= math.MaxFloat32 {
		negativeZero := float32(math.Copysign(0, -1)) // MinMax knows one zero; the counts, of the element's own bits, tell which there are
		if least[0] == 0 && h.counts.of(1<<15) > 0 {
			least[0] = negativeZero
		}
		if most[0] == 0 && h.counts.of(0) == 0 {
			most[0] = negativeZero
		}
		h.finite = h.finite.with(Range{least[0], most[0]})
		return
	}
	for _, v := range x {
		b := math.Float32bits(v)
		switch upper := uint16(b >> 16); {
		case v != v && upper&(1<<15-1) == 0xff<<7:
			h.nan++
			if t := h.counts; t.first[upper] > 0 {
				t.first[upper]--
			} else {
				t.second[upper]--
			}
		case math.Abs(float64(v)) <= math.MaxFloat32:
			h.finite = h.finite.with(Range{v, v})
		}
	}
}

// ends returns the least and the greatest finite element.
func (h *histogram) ends() Range {
	r := h.finite
	if h.element == elementF32 || h.counts == nil {
		return r
	}
	low, high := h.infinities()
	least, most := high, low
	for i := range h.used() {
		if low < i && i < high {
			least, most = min(least, i), i
		}
	}
	if least <= most {
		r = r.with(Range{h.value(least, middle), h.value(most, middle)})
	}
	return r
}

// infinities returns the bins of the infinities: the first and the last one, as beyond them are those of NaN.
func (h *histogram) infinities() (low, high uint16) {
	infinity := uint16(0xff << 7)
	if h.element == elementF16 {
		infinity = 0x1f << 10
	}
	return bin(infinity | 1<<15), bin(infinity)
}

// widened returns elements as float32: themselves, or a copy in wide.
func widened[T kernels.Float](wide []float32, x []T) []float32 {
	if x, ok := any(x).([]float32); ok {
		return x
	}
	widen(wide, x)
	return wide
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
	for b := 0; b < bins; b++ {
		if b%tallyRun == 0 && other.counts.none(uint16(b)) {
			b += tallyRun - 1
		} else if n := other.counts.of(uint16(b)); n > 0 {
			h.counts.add(uint16(b), n)
		}
	}
	h.total += other.total
	h.nan += other.nan
	h.finite = h.finite.with(other.finite)
}

// Count returns how many elements were counted, without NaN, and how many are NaN.
func (h *Histogram[T]) Count() (n, nan uint64) { return h.h.count() }

func (h *histogram) count() (n, nan uint64) {
	nan = h.nan
	if h.counts != nil {
		low, high := h.infinities()
		for i := range low {
			nan += h.counts.of(upper(i))
		}
		for i := high + 1; i > 0; i++ {
			nan += h.counts.of(upper(i))
		}
	}
	return h.total - nan, nan
}

// Range returns the least and the greatest element but NaN; with none, Min is +Inf and Max -Inf.
func (h *Histogram[T]) Range() Range { return h.h.seen() }

func (h *histogram) seen() Range {
	if h.counts == nil {
		return empty
	}
	r := h.ends()
	low, high := h.infinities()
	for _, i := range [2]uint16{low, high} {
		if h.counts.of(upper(i)) > 0 {
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
	n, _ := h.count()
	if n == 0 {
		nan := float32(math.NaN())
		return Range{nan, nan}
	}
	k, seen := rank(n, num, den), h.seen()
	low, _, _ := h.find(n - k + 1) // the k-th largest is the n-k+1-th smallest
	high, _, _ := h.find(k)
	return Range{max(h.value(low, lowEdge), seen.Min), min(h.value(high, highEdge), seen.Max)}
}

// find returns the bin in which the k-th smallest element is, and which of how many of the bin's it is.
func (h *histogram) find(k uint64) (bin uint16, inBin, of uint64) {
	for i, n := range h.used() {
		if k <= n {
			return i, k, n
		}
		k -= n
	}
	panic("quant: more elements asked for than counted")
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
	_, nan := h.h.count()
	b = binary.LittleEndian.AppendUint64(b, nan)
	finite := empty
	if h.h.counts != nil {
		finite = h.h.ends()
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
		low, high := h.infinities()
		for i := int(low); i <= int(high); i++ {
			if i%tallyRun == 0 && h.counts.none(upper(uint16(i))) {
				i += tallyRun - 1
				continue
			}
			if n := h.counts.of(upper(uint16(i))); n > 0 && !yield(uint16(i), n) {
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
		h.counts.add(upper(i), n)
		last = int(i)
	}
	if nan > math.MaxInt64 {
		return histogramError(fmt.Sprintf("the count %d of NaN", nan), "less than 2^63")
	}
	h.total, h.nan = total+nan, nan
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
