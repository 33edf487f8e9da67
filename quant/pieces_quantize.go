package quant

// Quantize writes the codes of a whole part to dst, and its parameters, one for each of its groups, to params, whose memory it uses if
// there is enough.
func (p *Pieces[T]) Quantize(dst []byte, params *Params, part Part, x []T) error {
	return p.whole(params, part, x, func(s *pass[T]) error { return s.codesTo(dst, part) })
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
	if s.importance, err = newColumnWeights(p.Importance, s.ranges, &p.tiling); err != nil {
		return err
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

// QuantizeBy writes the codes of a piece to dst, by the parameters of its part.
func (p *Pieces[T]) QuantizeBy(params Params, dst []byte, piece Part, x []T) error {
	return p.by(params, piece, x, func(s *pass[T]) error { return s.codesTo(dst, piece) })
}

// FakeQuantizeBy fake-quantizes a piece into dst, which may be x, by the parameters of its part, and writes the mask, if it is not nil.
func (p *Pieces[T]) FakeQuantizeBy(params Params, dst []T, mask *Mask, piece Part, x []T) error {
	return p.by(params, piece, x, func(s *pass[T]) error { return s.fakeTo(dst, mask) })
}

// by writes what to asks for of a piece, by the parameters of its part.
func (p *Pieces[T]) by(params Params, piece Part, x []T, to func(*pass[T]) error) error {
	s, err := p.begin(piece, len(x), "x")
	if err != nil {
		return err
	}
	defer s.release()
	if err := s.by(params, piece, true); err != nil {
		return err
	}
	s.x = x
	if err := to(s); err != nil {
		return err
	}
	s.do(1)
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

// codesTo gives a pass memory for codes, to write them.
func (p *pass[T]) codesTo(dst []byte, part Part) error {
	if err := p.packTo(dst, part); err != nil {
		return err
	}
	p.writesCodes()
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
