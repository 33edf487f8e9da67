package quant

import (
	"slices"

	"github.com/lowbit-go/lowbit/kernels"
)

// Codes is a quantized tensor, with all that it takes to get its values back.
//
// Unpacked, each code has a byte: a two's complement int8, a uint8, or the bits of the float format that DType.Storage names; codes of 16
// bits have two, little-endian. Packed, codes of 6 bits are four to three bytes, codes of 4 bits two to a byte and codes of 2 bits four to a
// byte, a stream of bits with the first element in the lowest; each row (the last axis) begins at a byte, and is padded with zeros.
type Codes struct {
	Spec   Spec // DType, Scheme and Formulation say what a code means
	Shape  []int
	Data   []byte
	Packed bool // before Quantize: asks for packed codes
	Params Params
}

// Int8 views Data as int8. Codes that are packed, or of another type than signed integers, are an ErrSpec.
func (c Codes) Int8() ([]int8, error) {
	switch {
	case c.Spec.DType.Storage() != Int8:
		return nil, specError("Codes.Spec.DType", c.Spec.DType, "one of signed integers")
	case c.Packed && c.Spec.DType.Bits() < 8:
		return nil, specError("Codes.Packed", c.Packed, "false: Unpack gives each code a byte")
	}
	return kernels.View[int8](c.Data) // bytes are always aligned for bytes
}

// DataShape returns the shape of Data in codes: the tensor's, or, packed, with the last axis in bytes, and [1] for a scalar. It is nil for a DType
// that there is not.
func (c Codes) DataShape() []int {
	if c.Spec.DType.Bits() == 0 {
		return nil
	}
	l := newLines(c.Spec.DType, c.Shape, c.Packed)
	if !l.packed {
		return copyShape(nil, c.Shape)
	}
	if len(c.Shape) == 0 {
		return []int{1}
	}
	last := len(c.Shape) - 1
	return append(copyShape(nil, c.Shape[:last]), l.bytes(c.Shape[last]))
}

// Pack returns the same codes packed. A float4 that is NaN becomes 0; the last axis of float4 has to be even.
func (c Codes) Pack() (Codes, error) { return c.repack(true) }

// Unpack returns the same codes with a byte for each.
func (c Codes) Unpack() (Codes, error) { return c.repack(false) }

func (c Codes) repack(packed bool) (Codes, error) {
	size, err := c.check()
	if err != nil {
		return Codes{}, err
	}
	was := c
	c.Shape, c.Params, c.Packed = copyShape(nil, was.Shape), was.Params.clone(), packed
	l := newLines(c.Spec.DType, c.Shape, true)
	if was.Packed == packed || !l.packed {
		c.Data = slices.Clone(was.Data)
		return c, nil
	}
	if err := l.check(c.Shape); err != nil {
		return Codes{}, err
	}
	if packed {
		c.Data = make([]byte, l.total(size))
	} else {
		c.Data = make([]byte, size)
	}
	for at := 0; at < size; {
		n := l.part(at, size, size)
		if packed {
			l.pack(c.Data[l.offset(at):], was.Data[at:][:n])
		} else {
			l.unpack(c.Data[at:][:n], was.Data[l.offset(at):])
		}
		at += n
	}
	return c, nil
}

// IntParams returns the parameters of n groups from the first on as kernels.DequantizeInt takes them, for whoever dequantizes a row at a time: they
// share the memory of Params. Codes of a float format, which have FloatParams, are an ErrSpec; of these groups what Dequantize refuses is an error too.
func (c Codes) IntParams(first, n int) (kernels.IntParams, error) {
	f, p, err := c.forKernels(false, first, n)
	if err != nil {
		return kernels.IntParams{}, err
	}
	return f.ints(&p, span{grid: kernels.Grid{Groups: n}}, c.Packed), nil
}

// FloatParams is IntParams for a float format and kernels.DequantizeFloat.
func (c Codes) FloatParams(first, n int) (kernels.FloatParams, error) {
	f, p, err := c.forKernels(true, first, n)
	if err != nil {
		return kernels.FloatParams{}, err
	}
	return f.floats(&p, span{grid: kernels.Grid{Groups: n}}, c.Packed), nil
}

// forKernels returns the format, and the parameters of n groups.
func (c *Codes) forKernels(float bool, first, n int) (f format, part Params, err error) {
	if _, err := c.check(); err != nil {
		return format{}, Params{}, err
	}
	switch {
	case c.Spec.DType.IsFloat() && !float:
		return format{}, Params{}, specError("Codes.Spec.DType", c.Spec.DType, "an integer")
	case !c.Spec.DType.IsFloat() && float:
		return format{}, Params{}, specError("Codes.Spec.DType", c.Spec.DType, "a float")
	}
	count, err := elements("Params", ".Shape", c.Params.Shape)
	if err != nil {
		return format{}, Params{}, err
	}
	if first < 0 || n < 0 || first > count-n {
		return format{}, Params{}, shapeError("groups", []int{first, n}, "some of the tensor's %d", count)
	}
	f, part = newFormat(c.Spec), c.Params
	part.Shape = []int{n}
	if part.Scale, err = someOf(part.Scale, "Scale", first, n, count); err == nil {
		part.ZeroPoint, err = someOf(part.ZeroPoint, "ZeroPoint", first, n, count)
	}
	if err == nil {
		part.MinVal, err = someOf(part.MinVal, "MinVal", first, n, count)
	}
	if err == nil && len(part.factor) == count {
		part.factor = part.factor[first:][:n]
	}
	if err == nil {
		err = part.check(&f, foreign, first)
	}
	return f, part, err
}

// someOf returns n numbers from the first on of a parameter that each of count groups has, or none.
func someOf[E any](all []E, name string, first, n, count int) ([]E, error) {
	if len(all) == 0 {
		return nil, nil
	}
	if len(all) != count {
		return nil, paramsError("len(Params."+name+")", len(all), "%d, the number of groups", count)
	}
	return all[first:][:n], nil
}

// check holds data, shape and parameters against one another, and returns the number of elements.
func (c Codes) check() (size int, err error) {
	if err := c.Spec.validateCodes(); err != nil {
		return 0, err
	}
	size, err = elements("Codes", ".Shape", c.Shape)
	if err != nil {
		return 0, err
	}
	l := newLines(c.Spec.DType, c.Shape, c.Packed)
	if n := l.total(size); len(c.Data) != n {
		return 0, shapeError("len(Codes.Data)", len(c.Data), "%d, as Codes.Shape is %s and DType %v", n, shapeString(c.Shape), c.Spec.DType)
	}
	return size, c.checkGroups(size)
}

// groups returns the number of groups along each axis: 1 if Params.Shape is empty. They are in room, which grows if it has to, if they are not there.
func (c Codes) groups(room *[]int) []int {
	if len(c.Params.Shape) > 0 {
		return c.Params.Shape
	}
	*room = grow(*room, len(c.Shape))
	for i := range *room {
		(*room)[i] = 1
	}
	return *room
}

// checkGroups holds the number of groups against the shape, of so many elements.
func (c Codes) checkGroups(size int) error {
	if size == 0 || len(c.Params.Shape) == 0 {
		return nil
	}
	if len(c.Params.Shape) != len(c.Shape) {
		return shapeError("Params.Shape", c.Params.Shape, "a number of groups for each axis of Codes.Shape, %s", shapeString(c.Shape))
	}
	blocks := c.Spec.Granularity.blocks(c.Shape, c.Params.Shape)
	for i, n := range c.Params.Shape {
		if blocks != nil && (blocks[i] < 1 || (c.Shape[i]+blocks[i]-1)/blocks[i] != n) {
			return shapeError("Params.Shape", c.Params.Shape, "the number of blocks of Codes.Shape, %s", shapeString(c.Shape))
		}
		if blocks == nil && (n < 1 || c.Shape[i]%n != 0) {
			return shapeError("Params.Shape", c.Params.Shape, "divisors of Codes.Shape, %s", shapeString(c.Shape))
		}
	}
	return nil
}

// Dequantize writes the values of codes to dst: (q - zero_point) * scale, or (q - quant_min) * scale + minval, or for a float format
// q * scale, computed in float32 and rounded to T. It uses up to that many workers (goroutines).
// Data, shapes and parameters are checked, so that codes may come from anywhere. Scales may be any, powers of two with ScaleE8M0; where there is
// one for the tensor, Params.Shape may be empty.
func Dequantize[T kernels.Float](dst *Tensor[T], c Codes, workers int) error {
	if dst == nil {
		return missing("dst")
	}
	if dequantizeVector(dst, &c) {
		return nil
	}
	size, err := c.check()
	if err != nil {
		return err
	}
	if size == 0 {
		dst.like(c.Shape, 0)
		return nil
	}
	p := newPass[T]()
	defer p.release()
	p.ownFormat, p.ownParams = newFormat(c.Spec), c.Params
	if err := p.ownParams.check(&p.ownFormat, foreign, 0); err != nil {
		return err
	}
	p.lines = newLines(c.Spec.DType, c.Shape, c.Packed)
	if err := p.lines.check(c.Shape); err != nil {
		return err
	}
	groups := c.groups(&p.groups)
	p.ownTiling.resolveBlocks(c.Shape, groups, c.Spec.Granularity.blocks(c.Shape, groups))
	p.format, p.params, p.tiling, p.size = &p.ownFormat, &p.ownParams, &p.ownTiling, size
	p.codes, p.y = c.Data, dst.like(c.Shape, size)
	p.writesValuesOfCodes()
	p.do(workers)
	return nil
}
