package checkpoint

import (
	"fmt"

	"github.com/lowbit-go/lowbit/quant"
)

// ReadCodes reads the codes and parameters of a quantized tensor, as package quant has them. Codes that it has no formula for (another
// library's in any order along a row, of 3, 5, 6 or 7 bits, of nvfp4, of a table or transposed, and the blocks of GGUF) and scales that are not
// positive are an error; ReadRows gives their values, and Tensor.Parts what is stored.
func (t *Tensor) ReadCodes() (quant.Codes, error) {
	if t.Err() != nil {
		return quant.Codes{}, t.Err()
	}
	if l, ok := layoutOf(t).(*own); ok {
		return l.readCodes()
	}
	l, ok := layoutOf(t).(*grouped)
	if !ok {
		return quant.Codes{}, t.refuse("is %v, whose codes package quant does not have", t.Scheme())
	}
	c, err := l.readCodes(t.Shape())
	if err != nil {
		return quant.Codes{}, t.refuse("%w", err)
	}
	return c, nil
}

// readCodes reads all codes and parameters.
func (l *grouped) readCodes(shape []int) (c quant.Codes, err error) {
	c = quant.Codes{Shape: append([]int{}, shape...)}
	switch {
	case l.form == formI8:
		c.Spec.DType = quant.Int8
	case l.form == formBits && l.bits == 8:
		c.Spec.DType = quant.Uint8
	case l.form == formBits && l.bits == 4:
		c.Spec.DType, c.Packed = quant.Uint4, true
	case l.form == formBits && l.bits == 2:
		c.Spec.DType, c.Packed = quant.Uint2, true
	case l.form == formE4M3:
		c.Spec.DType = quant.Float8E4M3FN
	case l.form == formE5M2:
		c.Spec.DType = quant.Float8E5M2
	case l.form == formE2M1 && l.scale.factor == asStored:
		c.Spec.DType, c.Packed = quant.Float4E2M1FN, true
	default:
		return c, fmt.Errorf("has codes that package quant does not have")
	}
	if l.index != nil {
		return c, fmt.Errorf("has groups in another order than its columns")
	}
	if l.zero != nil {
		c.Spec.Scheme = quant.Asymmetric
	}
	var blocks []int
	partial := false
	for _, a := range append(l.axes[:len(l.axes):len(l.axes)], axis{l.cols, l.blockCols}) {
		partial = partial || a.len%a.block != 0
		blocks = append(blocks, a.block)
		c.Params.Shape = append(c.Params.Shape, a.groups())
	}
	c.Spec.Granularity = quant.PerBlocks(blocks...)
	if partial {
		c.Spec.Granularity = c.Spec.Granularity.Partial()
	}

	rows, groupRows := 1, 1
	for _, a := range l.axes {
		rows, groupRows = rows*a.len, groupRows*a.groups()
	}
	var s scratch
	c.Data = make([]byte, rows*l.rowBytes)
	if err := read(l.codes, c.Data, 0); err != nil {
		return c, err
	}
	// Rows of whole 32-bit words may be longer than their codes.
	if n := (l.cols*l.bits + 7) / 8; n < l.rowBytes {
		for r := range rows {
			copy(c.Data[r*n:][:n], c.Data[r*l.rowBytes:])
		}
		c.Data = c.Data[:rows*n]
	}
	c.Params.Scale = make([]float32, groupRows*l.groupCols)
	if err := l.scale.read(&s, c.Params.Scale, 0); err != nil {
		return c, err
	}
	if l.zero == nil && l.bias == 0 {
		return c, nil
	}
	c.Params.ZeroPoint = make([]int32, len(c.Params.Scale))
	if l.zero != nil {
		return c, l.zero.read(&s, c.Params.ZeroPoint, 0, groupRows, l.groupCols)
	}
	for i := range c.Params.ZeroPoint {
		c.Params.ZeroPoint[i] = l.bias
	}
	return c, nil
}

// readCodes reads all codes and parameters of a tensor of Lowbit's own.
func (l *own) readCodes() (quant.Codes, error) {
	c := l.record.Codes()
	codes, scale := l.codes(), l.companion(scaleSuffix)
	c.Data = make([]byte, codes.Size)
	if err := read(codes, c.Data, 0); err != nil {
		return quant.Codes{}, err
	}
	c.Params.Shape = scale.dims()
	var s scratch
	return c, l.readParams(&s, &c.Params, 0, scale.Elements())
}
