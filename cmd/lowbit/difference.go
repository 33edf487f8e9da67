package main

import (
	"bytes"
	"encoding/binary"
	"math"
	mathbits "math/bits"
	"slices"
	"sync"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/safetensors"
)

// difference is what is found out about two tensors of one shape. Elements of which one is not finite are counted, and left out of the rest.
type difference struct {
	bits   int     // number of elements whose bits differ, if the types are the same
	worst  float64 // largest absolute difference
	odd    [2]struct{ nan, inf int }
	apart  int          // elements of which one is not finite, and the other is something else
	errors *errorCounts // nil where there are none
	sums
}

// sums are those that come to other bits in another order.
type sums struct {
	noise   float64    // of the squares of the differences
	squares [2]float64 // of A's elements and of B's
	product float64    // of the products
}

func (s *sums) add(t sums) {
	s.noise += t.noise
	s.squares[0] += t.squares[0]
	s.squares[1] += t.squares[1]
	s.product += t.product
}

// sumRun is how many elements are summed up by themselves: runs of a tensor from its start on, which are then added in their order. So sums do
// not depend on the pieces that a tensor comes in.
const sumRun = 1 << 14

// elements are some of one side.
type elements struct {
	dtype  safetensors.DType // 0 for those that are quantized, whose values floats are
	bytes  []byte
	floats []float32
}

// part is n elements from one on.
func (e elements) part(at, n int) elements {
	if e.dtype == 0 {
		return elements{floats: e.floats[at:][:n]}
	}
	bits := e.dtype.Bits()
	return elements{dtype: e.dtype, bytes: e.bytes[at*bits/8:][:n*bits/8]}
}

func (e elements) numeric() bool { return e.dtype == 0 || numeric(e.dtype) }

func (e elements) values(dst []float64) {
	if e.dtype != 0 {
		values(dst, e.dtype, e.bytes)
		return
	}
	for i, v := range e.floats {
		dst[i] = float64(v)
	}
}

// measurement finds out the difference of two tensors of so many elements, which come in runs: in any order, from several goroutines at a time.
type measurement struct {
	elements int
	errors   bool // are counted

	mu      sync.Mutex
	seen    int
	sum     difference
	next    int              // number of the run whose sums are added next
	waiting map[int]sums     // of later runs
	begun   map[int]*partRun // runs of which a part was seen
}

// partRun is a run of which a part was seen.
type partRun struct {
	seen   int
	values [2][]float64
}

func newMeasurement(elements int, errors bool) *measurement {
	return &measurement{elements: elements, errors: errors, waiting: map[int]sums{}, begun: map[int]*partRun{}}
}

// whole tells whether all was seen.
func (m *measurement) whole() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seen == m.elements
}

// difference is what was found out of the whole.
func (m *measurement) difference() *difference { return &m.sum }

// measureWorkspace is the memory of one worker.
type measureWorkspace struct {
	values  [2][]float64
	floats  [2]memory
	errors  [sumRun]float64
	rounded []float32
	narrow  memory
}

// add takes n elements from one on in.
func (m *measurement) add(ws *measureWorkspace, first, n int, sides [2]elements) {
	if !sides[0].numeric() || !sides[1].numeric() {
		bits := ws.differing(sides)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.sum.bits += bits
		m.seen += n
		return
	}
	for at := 0; at < n; {
		length := min(n-at, sumRun-(first+at)%sumRun)
		m.addPart(ws, first+at, [2]elements{sides[0].part(at, length), sides[1].part(at, length)}, length)
		at += length
	}
}

// addPart takes a run in, or a part of one.
func (m *measurement) addPart(ws *measureWorkspace, first int, sides [2]elements, n int) {
	for i, other := range [2]safetensors.DType{sides[1].dtype, sides[0].dtype} {
		if side := &sides[i]; side.dtype == 0 {
			side.floats = ws.round(side.floats, other)
		}
	}
	number := first / sumRun
	length := min(sumRun, m.elements-number*sumRun)
	whole := n == length
	d, done := difference{}, false
	if whole {
		d, done = ws.measureFloats(sides, n, m.errors)
	}
	if !done {
		for i, side := range sides {
			ws.values[i] = slices.Grow(ws.values[i][:0], n)[:n]
			side.values(ws.values[i])
		}
		d = count(ws.values[0], ws.values[1])
		if d.bits = ws.differing(sides); m.errors && d.worst > 0 {
			errors := ws.errors[:0]
			for i, v := range ws.values[0] {
				if e := v - ws.values[1][i]; e-e == 0 {
					errors = append(errors, e)
				}
			}
			d.errors = countErrors(errors, d.worst)
		}
		if whole {
			d.sums = sumUp(ws.values[0], ws.values[1])
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen += n
	m.sum.merge(&d)
	if whole {
		m.addSums(number, d.sums)
		return
	}
	part := m.begun[number]
	if part == nil {
		part = &partRun{values: [2][]float64{make([]float64, length), make([]float64, length)}}
		m.begun[number] = part
	}
	for i := range sides {
		copy(part.values[i][first-number*sumRun:], ws.values[i])
	}
	if part.seen += n; part.seen == length {
		delete(m.begun, number)
		m.addSums(number, sumUp(part.values[0], part.values[1]))
	}
}

// measureFloats measures a run of which both sides are floats of at most 32 bits and finite, as most are. It comes to what count, countErrors
// and sumUp do, and goes over the elements less often.
func (ws *measureWorkspace) measureFloats(sides [2]elements, n int, errors bool) (d difference, ok bool) {
	var floats [2][]float32
	for i, side := range sides {
		if floats[i] = ws.float32s(side, &ws.floats[i], n); floats[i] == nil {
			return d, false
		}
	}
	counted := sides[0].dtype == 0 || sides[1].dtype == 0 || sides[0].dtype == sides[1].dtype
	var all kernels.Differences
	var counter errorCounter
	for at := 0; at < n; at += errorsAtOnce {
		e := ws.errors[:min(errorsAtOnce, n-at)]
		if !all.Add(e, floats[0][at:][:len(e)], floats[1][at:][:len(e)]) {
			return difference{}, false
		}
		if errors {
			counter.count(e, all.Largest)
		}
	}
	if d.worst = all.Largest; errors && d.worst > 0 {
		d.errors = counter.counts()
	}
	d.sums = sums{all.Noise[0] + all.Noise[1], [2]float64{all.A[0] + all.A[1], all.B[0] + all.B[1]}, all.Product[0] + all.Product[1]}
	if counted { // a number of 16 bits has those of the float32 that it is
		d.bits = all.Bits
	}
	return d, true
}

// errorsAtOnce is how many differences are counted at a time, while they are in the L1 cache: an even number.
const errorsAtOnce = 1 << 10

// float32s are a side's elements as float32, nil if there are others than floats of at most 32 bits.
func (ws *measureWorkspace) float32s(e elements, m *memory, n int) []float32 {
	switch e.dtype {
	case 0:
		return e.floats
	case safetensors.F32:
		return viewed[float32](e.bytes, m)
	case safetensors.F16:
		wide := lend[float32](m, n)
		kernels.DecodeFloat16(wide, viewed[float16.Float16](e.bytes, &ws.narrow))
		return wide
	case safetensors.BF16:
		wide := lend[float32](m, n)
		kernels.DecodeBFloat16(wide, viewed[bf16.BFloat16](e.bytes, &ws.narrow))
		return wide
	}
	return nil
}

// viewed are the elements that bytes of a file are, where they lie if they can be read there, else in memory that is lent.
func viewed[E float32 | float16.Float16 | bf16.BFloat16](data []byte, m *memory) []E {
	if all, err := kernels.View[E](data); err == nil {
		return all
	}
	all := lend[E](m, len(data)/int(sizeOf[E]()))
	copy(bytesOf(all), data)
	toggleEndian(all)
	return all
}

// addSums adds the sums of a run, as soon as those before it are there.
func (m *measurement) addSums(number int, s sums) {
	m.waiting[number] = s
	for {
		s, ok := m.waiting[m.next]
		if !ok {
			return
		}
		delete(m.waiting, m.next)
		m.sum.sums.add(s)
		m.next++
	}
}

// merge adds what does not depend on the order.
func (d *difference) merge(e *difference) {
	d.bits += e.bits
	d.worst = max(d.worst, e.worst)
	d.apart += e.apart
	for i := range 2 {
		d.odd[i].nan += e.odd[i].nan
		d.odd[i].inf += e.odd[i].inf
	}
	if d.errors == nil {
		d.errors = e.errors
	} else if e.errors != nil {
		d.errors.add(e.errors)
	}
}

// count counts and finds the largest difference.
func count(a, b []float64) (d difference) {
	for i, v := range a {
		w := b[i]
		e := v - w
		if e-e == 0 {
			if e = math.Abs(e); e > d.worst {
				d.worst = e
			}
			continue
		}
		for i, x := range []float64{v, w} {
			switch {
			case math.IsNaN(x):
				d.odd[i].nan++
			case math.IsInf(x, 0):
				d.odd[i].inf++
			}
		}
		if v != w && (v == v || w == w) {
			d.apart++
		}
	}
	return d
}

// sumUp sums up a run: those of an even number, those of an odd number, and then both.
func sumUp(a, b []float64) sums {
	var two [2]sums
	b = b[:len(a)]
	i := 0
	for ; i+2 <= len(a); i += 2 {
		two[0].take(a[i], b[i])
		two[1].take(a[i+1], b[i+1])
	}
	if i < len(a) {
		two[0].take(a[i], b[i])
	}
	two[0].add(two[1])
	return two[0]
}

// take takes in a pair of elements.
func (s *sums) take(v, w float64) {
	if e := v - w; e-e == 0 {
		s.noise += float64(e * e)
		s.squares[0] += float64(v * v)
		s.squares[1] += float64(w * w)
		s.product += float64(v * w)
	}
}

// differing counts the elements whose bits differ, as far as the types can tell. The values of numbers are there.
func (ws *measureWorkspace) differing(sides [2]elements) int {
	x, y := sides[0], sides[1]
	switch {
	case x.dtype == 0 && y.dtype == 0:
		return differing(32, bytesOf(x.floats), bytesOf(y.floats))
	case x.dtype == 0:
		return ws.differingNumbers(y.dtype)
	case y.dtype == 0:
		return ws.differingNumbers(x.dtype)
	case x.dtype != y.dtype:
		return 0
	}
	return differing(x.dtype.Bits(), x.bytes, y.bytes)
}

// round makes of the values of a side that is quantized what they are in the other side's type, which they are compared as. Types that do not
// hold fractions leave them as they are.
func (ws *measureWorkspace) round(floats []float32, t safetensors.DType) []float32 {
	n := len(floats)
	switch t {
	case safetensors.F16:
		half := lend[float16.Float16](&ws.narrow, n)
		kernels.EncodeFloat16(half, floats)
		ws.rounded = slices.Grow(ws.rounded[:0], n)[:n]
		kernels.DecodeFloat16(ws.rounded, half)
	case safetensors.BF16:
		half := lend[bf16.BFloat16](&ws.narrow, n)
		kernels.EncodeBFloat16(half, floats)
		ws.rounded = slices.Grow(ws.rounded[:0], n)[:n]
		kernels.DecodeBFloat16(ws.rounded, half)
	default:
		return floats
	}
	return ws.rounded
}

// differingNumbers counts the values whose bits differ, one side of which is of type t. NaN are one.
func (ws *measureWorkspace) differingNumbers(t safetensors.DType) (count int) {
	if !checkpoint.Quantizable(t) {
		return 0
	}
	for i, x := range ws.values[0] {
		v, w := float32(x), float32(ws.values[1][i])
		if math.Float32bits(v) != math.Float32bits(w) && (v == v || w == w) {
			count++
		}
	}
	return count
}

// differing counts the elements of so many bits whose bits differ.
func differing(bits int, a, b []byte) (count int) {
	if bytes.Equal(a, b) {
		return 0
	}
	if 64%bits == 0 { // eight bytes at a time: the highest bit of an element becomes 1 unless all of its bits are 0
		high := ^uint64(0) / (1<<bits - 1) << (bits - 1)
		ones := func(x, y []byte) int {
			word := binary.LittleEndian.Uint64(x) ^ binary.LittleEndian.Uint64(y)
			return mathbits.OnesCount64((word&^high + ^high | word) & high)
		}
		for ; len(a) >= 32 && len(b) >= 32; a, b = a[32:], b[32:] {
			x, y := (*[32]byte)(a), (*[32]byte)(b)
			count += ones(x[:8], y[:8]) + ones(x[8:16], y[8:16]) + ones(x[16:24], y[16:24]) + ones(x[24:], y[24:])
		}
		for ; len(a) >= 8; a, b = a[8:], b[8:] {
			count += ones(a, b)
		}
	}
	// A word has as many elements as fill bytes: one, two of 4 bits, four of 6 bits.
	inWord := 1
	for inWord*bits%8 != 0 {
		inWord *= 2
	}
	size, mask := inWord*bits/8, uint64(1)<<bits-1
	for i := 0; i < len(a); i += size {
		word := uint64(0)
		for k := range size {
			word |= uint64(a[i+k]^b[i+k]) << (8 * k)
		}
		for ; word != 0; word >>= bits {
			if word&mask != 0 {
				count++
			}
		}
	}
	return count
}
