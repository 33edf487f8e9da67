package quant

import (
	"iter"
	"math"

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
