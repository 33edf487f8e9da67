package quant

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
	"sync"

	"github.com/lowbit-go/lowbit/kernels"
)

// Pieces quantizes or dequantizes a tensor that is not in memory, but comes and goes a piece at a time, with the bits that
// FakeQuantizer.Quantize gives in its first pass, and Dequantize.
//
// The tensor is cut twice. Its parts have no group in common: a part that fits memory is quantized at once. One that is too long for
// that is cut into pieces, and all of them are observed before the first is quantized:
//
//	p, err := quant.NewPieces[float32](spec, quant.Weight, shape, packed)
//	for part := range p.Parts(most) {
//		if part.Len <= most {
//			err = p.Quantize(codes, &params, part, x) // x are the elements from part.First on, codes the bytes from part.Byte on
//			continue
//		}
//		var r quant.Ranges
//		for piece := range p.Cut(part, most) {
//			err = p.Observe(&r, piece, x)
//		}
//		params, err := p.Params(&r, part)
//		for piece := range p.Cut(part, most) {
//			err = p.QuantizeBy(params, codes, piece, x)
//		}
//	}
//
// A tensor that Gathers is one part, as it has a scale of its own beside those of its groups. Once that is known its parts are as short as others':
//
//	for part := range p.ByGlobal(0).Parts(most) {
//		err = p.ObserveGlobal(&r, part, x)
//	}
//	global, err := p.Global(&r)
//	p = p.ByGlobal(global)
//
// FakeQuantize is Quantize for values. FakeQuantizeBy does a piece of a FakeQuantizer's forward pass, after ObserveRanges and by its parameters.
//
// Parts and pieces may be worked on in any order and by several goroutines at a time.
//
// Where Spec.Searches, a range is more than the ends of its pieces: every part has to be quantized at once, however long it is, and Observe is
// an ErrSpec. An algorithm of a user's own, which may want to see a tensor whole and in its order, cannot be used: ErrSpec.
type Pieces[T kernels.Float] struct {
	// Importance is FakeQuantizer's. It is to be set before the first use.
	Importance []float32

	spec     Spec
	observer observer     // without parameters
	step     QuantizeStep // nil: the kernels
	tiling   tiling
	lines    lines

	global          float32 // where format.known
	apart, perApart int     // of the tiling, then
}

// Part is a run of a tensor's elements in row-major order: a part, or a piece of one.
type Part struct {
	First, Len    int // elements
	Byte, Bytes   int // of their codes
	Group, Groups int // of the part, whether this is all of it or a piece
}

// Ranges are the ranges of a part's groups, as far as they have been observed, and which elements have been.
type Ranges struct {
	mu        sync.Mutex
	low, high []float32
	seen      []run // in their order, none beside another
}

// run is the elements [first, end).
type run struct{ first, end int }

// see adds elements to those that have been seen.
func (r *Ranges) see(first, end int) {
	lo, _ := slices.BinarySearchFunc(r.seen, first, func(s run, first int) int { return cmp.Compare(s.end, first) })
	hi := lo
	for ; hi < len(r.seen) && r.seen[hi].first <= end; hi++ {
		first, end = min(first, r.seen[hi].first), max(end, r.seen[hi].end)
	}
	r.seen = slices.Replace(r.seen, lo, hi, run{first, end})
}

// unseen returns the first of the elements [first, end) that has not been seen, or end.
func (r *Ranges) unseen(first, end int) int {
	for _, s := range r.seen {
		if s.first <= first && first < s.end {
			return min(s.end, end)
		}
	}
	return first
}

// whole returns a copy of the ranges of the elements [first, end), all of which must have been seen unless nothing needs to be.
func (r *Ranges) whole(first, end, groups int, fixed bool) (low, high []float32, err error) {
	if fixed {
		low, high = unbounded(nil, nil, groups)
		return low, high, nil
	}
	if r == nil {
		return nil, nil, missing("Ranges")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.low != nil && len(r.low) != groups {
		return nil, nil, shapeError("Ranges", len(r.low), "%d groups, as the part has", groups)
	}
	if at := r.unseen(first, end); at < end {
		return nil, nil, &Error{ErrNotObserved, fmt.Sprintf("Ranges of elements %d to %d", first, end-1), fmt.Sprintf("without element %d", at),
			"each piece of them observed"}
	}
	return slices.Clone(r.low), slices.Clone(r.high), nil
}

// leastPiece is the least number of elements that pieces are limited to: whole bytes of codes and of masks.
const leastPiece = 64

// piecewise is what an error wants of an algorithm.
const piecewise = "one that takes pieces: Lowbit's own, and of a tensor in pieces those that need its ends alone"

// NewPieces cuts a tensor of that shape. Packed asks for packed codes. Where a block does not divide its axis, it is an ErrDisabled.
func NewPieces[T kernels.Float](spec Spec, target Target, shape []int, packed bool) (*Pieces[T], error) {
	if err := spec.validateFor(target); err != nil {
		return nil, err
	}
	spec = spec.resolved()
	e := arithmeticOf[T]()
	a, err := spec.algorithms(e)
	if err != nil {
		return nil, err
	}
	switch a.ranges.(type) {
	case nil, *mse, *percentile:
	default:
		return nil, specError("range_calculator_cls", spec.RangeCalculator.Name, piecewise)
	}
	switch a.quantize.(type) {
	case nil, stochastic:
	default:
		return nil, specError("fake_quantize_cls", spec.FakeQuantize.Name, piecewise)
	}
	groups, err := spec.groups(nil, shape, target)
	if err != nil {
		return nil, err
	}
	p := &Pieces[T]{spec: spec, observer: newObserver(spec, nil, e), step: a.quantize} // the first pass just sets the range, whatever the calculator
	err = p.cut(spec, shape, groups, packed)
	p.apart, p.perApart = p.tiling.apart, p.tiling.perApart
	if p.Gathers() { // all groups have a parameter in common
		p.tiling.apart, p.tiling.perApart = p.tiling.size, p.tiling.count
	}
	return p, err
}

// Gathers tells whether the whole tensor has a scale that has to be known before any of its groups has one, as in NVFP4 of two levels.
func (p *Pieces[T]) Gathers() bool { return p.observer.format.gathers() }

// ByGlobal returns the pieces of the same tensor with the scale of the whole of it known, so that its groups have nothing in common any more.
func (p *Pieces[T]) ByGlobal(global float32) *Pieces[T] {
	if !p.Gathers() {
		return p
	}
	known := *p
	known.observer.format.known, known.global = true, global
	known.tiling.apart, known.tiling.perApart = p.apart, p.perApart
	return &known
}

// ObserveGlobal widens r by the range of a piece. Global makes the scale of the whole tensor of it. The range calculator percentile wants parts that
// the pieces of ByGlobal have, whatever the scale.
func (p *Pieces[T]) ObserveGlobal(r *Ranges, piece Part, x []T) error {
	if r == nil {
		return missing("Ranges")
	}
	if p == nil {
		return missing("Pieces")
	}
	known := p.ByGlobal(0)
	s, err := known.begin(piece, len(x), "x")
	if err != nil {
		return err
	}
	defer s.release()
	a, err := p.spec.algorithms(arithmeticOf[T]())
	if err != nil {
		return err
	}
	s.x = x
	s.equip(1)
	low, high := unbounded(nil, nil, 1)
	if ranges, ok := a.ranges.(*percentile); ok {
		if err := known.checkWhole(piece); err != nil {
			return err
		}
		o := p.observer
		s.observer = &o
		for g := range s.tiling.count {
			l, h := s.rangeBy(ranges, g)
			low[0], high[0] = min(low[0], l), max(high[0], h)
		}
	} else {
		l, h := s.minMax(s.workspaces[0], span{grid: kernels.Grid{Rows: 1, Groups: 1, Len: len(x)}})
		widest(low, high, l, h)
	}
	if err := r.of(1); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	widest(r.low, r.high, low, high)
	r.see(piece.First, piece.First+piece.Len)
	return nil
}

// Global returns the scale of the whole tensor, all pieces of which were observed by ObserveGlobal: else it is an ErrNotObserved. If parameters are
// fixed, none need be.
func (p *Pieces[T]) Global(r *Ranges) (float32, error) {
	if p == nil {
		return 0, missing("Pieces")
	}
	low, high, err := r.whole(0, p.tiling.size, 1, p.Fixed())
	if err != nil {
		return 0, err
	}
	o := p.observer
	o.resize([]int{1}, 1)
	o.update(0, low, high)
	return o.params.Global, nil
}

// Searches reports whether ranges are found by a search among elements, not by their least and their greatest: with a range calculator other
// than "minmax", or the calculator "histogram". A tensor then has to be observed whole.
func (s Spec) Searches() bool {
	s = s.resolved()
	return s.RangeCalculator.Name != "minmax" || s.Calculator.Name == "histogram"
}

func (s Spec) searchError() error {
	if s.Calculator.Name == "histogram" {
		return specError("qparam_calculator_cls", s.Calculator.Name, piecewise)
	}
	return specError("range_calculator_cls", s.RangeCalculator.Name, piecewise)
}

// PiecesOf cuts codes that are there, to be dequantized. Of c it takes all but Data and the parameters' values.
func PiecesOf[T kernels.Float](c Codes) (*Pieces[T], error) {
	if err := c.Spec.validateCodes(); err != nil {
		return nil, err
	}
	size, err := elements("Codes", ".Shape", c.Shape)
	if err != nil {
		return nil, err
	}
	if err := c.checkGroups(size); err != nil {
		return nil, err
	}
	p := &Pieces[T]{observer: observer{format: newFormat(c.Spec)}}
	return p, p.cut(c.Spec, c.Shape, c.groups(new([]int)), c.Packed)
}

func (p *Pieces[T]) cut(s Spec, shape, groups []int, packed bool) error {
	p.lines = newLines(s.DType, shape, packed)
	if size, _ := elements("", "", shape); size == 0 {
		return nil
	}
	p.tiling.resolveBlocks(shape, groups, s.Granularity.blocks(shape, groups))
	return p.lines.check(shape)
}

// alignment is the number of elements that fill whole bytes of codes.
func (p *Pieces[T]) alignment() int {
	if !p.lines.packed {
		return 1
	}
	return p.lines.perByte()
}

// Parts yields the parts of the tensor in their order, of at most so many elements where they can be that short.
func (p *Pieces[T]) Parts(most int) iter.Seq[Part] {
	return func(yield func(Part) bool) {
		size := p.tiling.size
		if size == 0 {
			return
		}
		unit := p.Unit()
		n := max(1, most/unit)
		for first := 0; first < size; {
			part := p.part(first, min(size-first, n*unit))
			if !yield(part) {
				return
			}
			first += part.Len
		}
	}
}

// Unit is the least number of elements that make a part: Parts yields multiples of it, but for the last. It is 0 for an empty tensor.
func (p *Pieces[T]) Unit() int {
	switch {
	case p.tiling.size == 0:
		return 0
	case p.lines.padded:
		return lcm(p.tiling.apart, p.lines.length)
	}
	return lcm(p.tiling.apart, p.alignment())
}

// Piece returns n elements from the one called first on as a piece by itself, with all groups that it takes. Its codes must fill whole bytes,
// as those of whole rows do.
func (p *Pieces[T]) Piece(first, n int) (Part, error) {
	if first < 0 || n < 1 || first > p.tiling.size-n {
		return Part{}, shapeError("Part", []int{first, n}, "elements of the tensor, which has %d", p.tiling.size)
	}
	if !p.aligned(first, n) {
		return Part{}, shapeError("Part", []int{first, n}, "elements whose codes fill whole bytes")
	}
	return p.part(first, n), nil
}

// Whole returns the tensor as one part.
func (p *Pieces[T]) Whole() Part {
	if p.tiling.size == 0 {
		return Part{}
	}
	return p.part(0, p.tiling.size)
}

// part returns the elements as a part of its own.
func (p *Pieces[T]) part(first, n int) Part {
	t := &p.tiling
	part := Part{First: first, Len: n, Byte: first * p.lines.width, Bytes: p.linesOf(first, n).total(n)}
	if p.lines.packed {
		part.Byte = p.lines.offset(first)
	}
	part.Group = first / t.apart * t.perApart
	part.Groups = (first+n-1)/t.apart*t.perApart + t.perApart - part.Group
	return part
}

// linesOf tells how the codes of elements are packed that Parts or Cut has cut out.
func (p *Pieces[T]) linesOf(first, n int) lines {
	l := p.lines
	if l.padded && (first%l.length != 0 || n < l.length) { // within a line
		l.padded, l.length = false, math.MaxInt
	}
	return l
}

// aligned tells whether elements fill bytes of codes: whole lines, or part of one from a whole byte on, up to another or to the line's end.
func (p *Pieces[T]) aligned(first, n int) bool {
	line := p.tiling.size
	if p.lines.padded {
		line = p.lines.length
		if first%line == 0 && n%line == 0 {
			return true
		}
		first %= line
	}
	end := first + n
	return first%p.alignment() == 0 && (end%p.alignment() == 0 && end <= line || end == line)
}

// Cut yields the pieces of a part in their order, of at most so many elements, or at most 64 if that is more. What is no part of the tensor
// is yielded as it is, for the next method to refuse.
func (p *Pieces[T]) Cut(part Part, most int) iter.Seq[Part] {
	return func(yield func(Part) bool) {
		if p.check(part) != nil {
			yield(part)
			return
		}
		most := max(most, leastPiece) / leastPiece * leastPiece
		for first, end := part.First, part.First+part.Len; first < end; {
			n := min(end-first, most)
			if length := p.lines.length; p.lines.padded {
				if inLine := first % length; inLine > 0 || n < length {
					n = min(n, length-inLine)
				} else {
					n = n / length * length
				}
			}
			piece := p.part(first, n)
			piece.Group, piece.Groups = part.Group, part.Groups
			if !yield(piece) {
				return
			}
			first += n
		}
	}
}

// Fixed tells whether the parameters do not depend on the elements, so that there is nothing to observe.
func (p *Pieces[T]) Fixed() bool { return p.observer.fixed() }

// Quantize writes the codes of a whole part to dst, and its parameters, one for each of its groups, to params, whose memory it uses if
// there is enough.
func (p *Pieces[T]) Quantize(dst []byte, params *Params, part Part, x []T) error {
	return p.whole(params, part, x, func(s *pass[T]) error {
		if err := s.packTo(dst, part); err != nil {
			return err
		}
		s.writesCodes()
		return nil
	})
}

// FakeQuantize fake-quantizes a whole part into dst, which may be x, writes the mask, if it is not nil, and to params what Quantize does.
func (p *Pieces[T]) FakeQuantize(dst []T, mask *Mask, params *Params, part Part, x []T) error {
	return p.whole(params, part, x, func(s *pass[T]) error { return s.fakeTo(dst, mask) })
}

// whole observes a whole part, and writes what to asks for.
func (p *Pieces[T]) whole(params *Params, part Part, x []T, to func(*pass[T]) error) error {
	if params == nil {
		return missing("Params")
	}
	s, err := p.begin(part, len(x), "x")
	if err != nil {
		return err
	}
	defer s.release()
	if err := p.checkWhole(part); err != nil {
		return err
	}
	o := p.observer
	if p.spec.Searches() {
		a, err := p.spec.algorithms(arithmeticOf[T]()) // with memory of its own
		if err != nil {
			return err
		}
		s.ranges = a.ranges
		if b, ok := a.calculator.(*binned); ok {
			o.calculator = b
		}
	}
	if p.Importance != nil {
		if err := checkImportance(p.Importance, s.ranges, &p.tiling); err != nil {
			return err
		}
		s.importance = p.Importance
	}
	o.params = *params
	p.resize(&o, part)
	s.observer, s.params, s.x = &o, &o.params, x
	if err := to(s); err != nil {
		return err
	}
	s.do(1)
	*params = o.params
	return nil
}

// resize makes room for the parameters of a part.
func (p *Pieces[T]) resize(o *observer, part Part) {
	o.resize([]int{part.Groups}, part.Groups)
	if o.format.known {
		o.params.Global = p.global
	}
}

// Observe widens r, the ranges of a part, by those of a piece of it.
func (p *Pieces[T]) Observe(r *Ranges, piece Part, x []T) error {
	if r == nil {
		return missing("Ranges")
	}
	if p != nil && p.spec.Searches() {
		return p.spec.searchError()
	}
	s, err := p.begin(piece, len(x), "x")
	if err != nil {
		return err
	}
	defer s.release()
	if err := r.of(piece.Groups); err != nil {
		return err
	}
	s.x = x
	s.equip(1)
	for span := range s.tiling.spans(0, s.size) {
		low, high := s.minMax(s.workspaces[0], span)
		r.mu.Lock()
		widest(r.low[span.group:], r.high[span.group:], low, high)
		r.mu.Unlock()
	}
	r.mu.Lock()
	r.see(piece.First, piece.First+piece.Len)
	r.mu.Unlock()
	return nil
}

// of makes r ready for so many groups, if it has not been yet.
func (r *Ranges) of(groups int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.low == nil {
		r.low, r.high = unbounded(nil, nil, groups)
	}
	if len(r.low) != groups {
		return shapeError("Ranges", len(r.low), "%d groups, as the part of the piece has", groups)
	}
	return nil
}

// Params returns the parameters of a part all pieces of which were observed: else it is an ErrNotObserved. If they are fixed, none need be.
func (p *Pieces[T]) Params(r *Ranges, part Part) (Params, error) {
	if p == nil {
		return Params{}, missing("Pieces")
	}
	if part != (Part{}) || p.tiling.size > 0 {
		if err := p.check(part); err != nil {
			return Params{}, err
		}
		if err := p.checkWhole(part); err != nil {
			return Params{}, err
		}
	}
	low, high, err := r.whole(part.First, part.First+part.Len, part.Groups, p.Fixed())
	if err != nil {
		return Params{}, err
	}
	o := p.observer
	p.resize(&o, part)
	o.update(0, low, high)
	return o.params, nil
}

// ObserveRanges is Observe for a tensor of that shape that was observed in pieces: r are the ranges of Pieces.Whole, all pieces of
// which were observed: else it is an ErrNotObserved. If they are fixed, none need be.
func (q *FakeQuantizer[T]) ObserveRanges(shape []int, r *Ranges) error {
	if q == nil {
		return missing("FakeQuantizer")
	}
	n, err := elements("shape", "", shape)
	if err != nil {
		return err
	}
	p, err := q.beginShape(shape, n)
	if err != nil {
		return err
	}
	defer q.end(p)
	if err := q.ready(p); err != nil || p.tiling == nil {
		return err
	}
	if q.spec.Searches() {
		return q.spec.searchError()
	}
	o := p.observer
	low, high, err := r.whole(0, n, p.tiling.count, o.fixed())
	if err != nil {
		return err
	}
	if q.RequireFinite && !o.fixed() && !finite(low, high) {
		return &Error{ErrNonFinite, q.label(), "with a NaN or an infinity", "finite elements"}
	}
	o.resize(p.tiling.groups, p.tiling.count)
	o.update(0, low, high)
	o.observed = true
	return nil
}

// QuantizeBy writes the codes of a piece to dst, by the parameters of its part.
func (p *Pieces[T]) QuantizeBy(params Params, dst []byte, piece Part, x []T) error {
	s, err := p.begin(piece, len(x), "x")
	if err != nil {
		return err
	}
	defer s.release()
	if err := s.by(params, piece, true); err != nil {
		return err
	}
	s.x = x
	if err := s.packTo(dst, piece); err != nil {
		return err
	}
	s.writesCodes()
	s.do(1)
	return nil
}

// FakeQuantizeBy fake-quantizes a piece into dst, which may be x, by the parameters of its part, and writes the mask, if it is not nil.
func (p *Pieces[T]) FakeQuantizeBy(params Params, dst []T, mask *Mask, piece Part, x []T) error {
	s, err := p.begin(piece, len(x), "x")
	if err != nil {
		return err
	}
	defer s.release()
	if err := s.by(params, piece, true); err != nil {
		return err
	}
	s.x = x
	if err := s.fakeTo(dst, mask); err != nil {
		return err
	}
	s.do(1)
	return nil
}

// fakeTo gives a pass memory for values and a mask.
func (p *pass[T]) fakeTo(dst []T, mask *Mask) error {
	switch {
	case mask != nil && mask.Kind > BitMask:
		return shapeError("Mask.Kind", mask.Kind, "NoMask, ByteMask or BitMask")
	case len(dst) != p.size:
		return shapeError("len(dst)", len(dst), "%d, as the part has", p.size)
	}
	if mask != nil {
		mask.Data = grow(mask.Data, mask.Kind.bytes(p.size))
		p.mask = *mask
	}
	p.y = dst
	p.writesFakes()
	return nil
}

// Dequantize writes the values of the codes of a part, or a piece of one, to dst, by the parameters of the part. They are checked, as those of
// the function Dequantize are.
func (p *Pieces[T]) Dequantize(dst []T, part Part, codes []byte, params Params) error {
	s, err := p.begin(part, len(dst), "dst")
	if err != nil {
		return err
	}
	defer s.release()
	if err := s.by(params, part, false); err != nil {
		return err
	}
	if err := s.packTo(codes, part); err != nil {
		return err
	}
	s.y = dst
	s.writesValuesOfCodes()
	s.do(1)
	return nil
}

// begin checks a part, and the number of elements that are given for it under that name, and sets up a pass.
func (p *Pieces[T]) begin(part Part, n int, name string) (*pass[T], error) {
	if p == nil {
		return nil, missing("Pieces")
	}
	if err := p.check(part); err != nil {
		return nil, err
	}
	if n != part.Len {
		return nil, shapeError("len("+name+")", n, "%d, as the part has", part.Len)
	}
	s := newPass[T]()
	s.ownTiling.part(&p.tiling, part.First, part.Len, part.Group, part.Groups)
	s.ownFormat = p.observer.format
	s.format, s.tiling, s.size, s.step = &s.ownFormat, &s.ownTiling, part.Len, p.step
	s.lines = p.linesOf(part.First, part.Len)
	return s, nil
}

// check refuses what Parts and Cut cannot have made.
func (p *Pieces[T]) check(part Part) error {
	t := &p.tiling
	if part.Len < 1 || part.First < 0 || part.First > t.size-part.Len {
		return shapeError("Part", part, "elements of the tensor, which has %d", t.size)
	}
	own := p.part(part.First, part.Len)
	if part.Byte != own.Byte || part.Bytes != own.Bytes || part.Group < 0 || part.Group > own.Group || part.Groups < own.Groups ||
		part.Group+part.Groups < own.Group+own.Groups || part.Groups > t.count-part.Group || !p.aligned(part.First, part.Len) {
		return shapeError("Part", part, "one from Parts or Cut")
	}
	return nil
}

// checkWhole refuses a part that has groups in common with others.
func (p *Pieces[T]) checkWhole(part Part) error {
	if t := &p.tiling; part.Len > 0 && (part != p.part(part.First, part.Len) || part.First%t.apart != 0 || part.First+part.Len != t.size && (part.First+part.Len)%t.apart != 0) {
		return shapeError("Part", part, "a whole part, from Parts")
	}
	return nil
}

// by gives a pass parameters from elsewhere, to quantize by or to dequantize by.
func (p *pass[T]) by(params Params, part Part, quantize bool) error {
	p.ownParams = params
	p.params = &p.ownParams
	if n := len(params.Scale); n != part.Groups {
		return paramsError("len(Params.Scale)", n, "%d, the number of groups of the part", part.Groups)
	}
	p.groups = append(p.groups[:0], part.Groups)
	p.ownParams.Shape = p.groups
	if err := p.ownParams.check(p.format, foreign, part.Group); err != nil || !quantize {
		return err
	}
	return p.ownParams.checkDivisors(part.Group)
}

// packTo gives a pass memory for codes, or codes.
func (p *pass[T]) packTo(dst []byte, part Part) error {
	if n := len(dst); n != part.Bytes {
		return shapeError("the number of bytes for codes", n, "%d, as the part has", part.Bytes)
	}
	p.codes = dst
	return nil
}
