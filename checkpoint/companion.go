package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// Companion is a tensor that lies beside the codes of a quantized one: a parameter of each of its groups, or one of the whole tensor.
type Companion struct {
	Suffix string // of the quantized tensor's name
	DType  safetensors.DType
}

// Shape is that of a companion of a tensor with so many groups along each axis.
func (c Companion) Shape(groups safetensors.Shape) safetensors.Shape {
	if c.Suffix == globalScaleSuffix {
		return safetensors.ShapeOf()
	}
	return groups
}

const (
	scaleSuffix       = ".scale"
	zeroPointSuffix   = ".zero_point"
	minvalSuffix      = ".minval"
	globalScaleSuffix = ".global_scale"
)

// Companions are what lies beside a tensor's codes.
func (r Record) Companions() []Companion {
	if r.first {
		if r.Spec.DType.IsFloat() {
			return []Companion{{scaleSuffix, safetensors.F32}}
		}
		return []Companion{{scaleSuffix, safetensors.F32}, {zeroPointSuffix, safetensors.I32}, {minvalSuffix, safetensors.F32}}
	}
	scale := r.scaleType()
	list := []Companion{{scaleSuffix, scale}}
	switch s := r.Spec.Resolved(); {
	case s.GlobalScale == quant.GlobalOn:
		list = append(list, Companion{globalScaleSuffix, safetensors.F32})
	case s.Formulation == quant.MinVal:
		list = append(list, Companion{minvalSuffix, scale})
	case s.Scheme == quant.Asymmetric:
		list = append(list, Companion{zeroPointSuffix, storageType(s.DType, false)})
	}
	return list
}

// scaleType is the least type that holds every scale.
func (r Record) scaleType() safetensors.DType {
	switch s := r.Spec.Resolved(); {
	case s.ScaleDType == quant.ScaleE8M0:
		return safetensors.F8_E8M0
	case s.ScaleDType == quant.ScaleE4M3FN:
		return safetensors.F8_E4M3
	case s.ScaleDType == quant.ScaleFloat16:
		return safetensors.F16
	case s.ScaleDType == quant.ScaleBFloat16:
		return safetensors.BF16
	case s.FloatRange.Fixed(), s.Dialect == quant.Transformers:
		return safetensors.F32
	}
	return r.DType
}

// Bits counts the bits that a tensor takes in a file, with that many groups: its codes and what lies beside them.
func (r Record) Bits(groups int) int64 {
	dtype, shape := r.Stored()
	bits := int64(dtype.Bits()) * int64(shape.Elements())
	for _, c := range r.Companions() {
		bits += int64(c.DType.Bits()) * int64(c.Shape(safetensors.ShapeOf(groups)).Elements())
	}
	return bits
}

// WriteParams hands over the parameters of a part of a tensor, those of its groups from first on, as the bytes of its companions.
func (r Record) WriteParams(p quant.Params, first int, write func(suffix string, data []byte, off int64) error) error {
	var data []byte
	for _, c := range r.Companions() {
		if c.Suffix == globalScaleSuffix {
			data = binary.LittleEndian.AppendUint32(data[:0], math.Float32bits(p.Global))
			if err := write(c.Suffix, data, 0); err != nil {
				return err
			}
			continue
		}
		size := c.DType.Bits() / 8
		data = slices.Grow(data[:0], size*len(p.Scale))[:size*len(p.Scale)]
		if err := c.encode(data, p); err != nil {
			return err
		}
		if err := write(c.Suffix, data, int64(size)*int64(first)); err != nil {
			return err
		}
	}
	return nil
}

// readParams sets the parameters of a part of the tensor, those of n groups from first on, by its companions. It uses the memory of p if there
// is enough.
func (l *own) readParams(s *scratch, p *quant.Params, first, n int) error {
	p.ZeroPoint, p.MinVal, p.Global = p.ZeroPoint[:0], p.MinVal[:0], 0
	for _, c := range l.companions {
		from := l.companion(c.Suffix)
		var err error
		switch c.Suffix {
		case globalScaleSuffix:
			global := lend[float32](&s.stored, 1)
			err = read(from, global, 0)
			p.Global = global[0]
		case zeroPointSuffix:
			p.ZeroPoint = slices.Grow(p.ZeroPoint, n)[:n]
			err = readZeroPoints(from, s, p.ZeroPoint, first)
		default:
			values := c.floats(p)
			*values = slices.Grow((*values)[:0], n)[:n]
			err = (&scales{Stored: from}).read(s, *values, first)
		}
		if err != nil {
			return err
		}
	}
	// The zero point of a symmetric scheme is not stored.
	if middle := l.record.zeroPoint(); middle != 0 && len(p.ZeroPoint) == 0 {
		p.ZeroPoint = slices.Grow(p.ZeroPoint, n)[:n]
		for i := range p.ZeroPoint {
			p.ZeroPoint[i] = middle
		}
	}
	return nil
}

// readZeroPoints reads integers of any type from the one called first on.
func readZeroPoints(from Stored, s *scratch, dst []int32, first int) error {
	size := from.DType.Bits() / 8
	data := lend[uint8](&s.stored, size*len(dst))
	if err := read(from, data, int64(first)*int64(size)); err != nil {
		return err
	}
	c := Companion{zeroPointSuffix, from.DType}
	for i := range dst {
		dst[i] = c.integer(data, i)
	}
	return nil
}

// zeroPoint is that of every group of a symmetric scheme.
func (r Record) zeroPoint() int32 {
	if r.Spec.DType.IsFloat() || r.Spec.Formulation == quant.MinVal || r.Spec.ScaleDType == quant.ScaleE8M0 {
		return 0
	}
	lo, hi := r.Spec.QuantRange()
	return int32((lo + hi + 1) / 2)
}

// floats are what a companion of floating-point numbers holds.
func (c Companion) floats(p *quant.Params) *[]float32 {
	if c.Suffix == minvalSuffix {
		return &p.MinVal
	}
	return &p.Scale
}

// encode writes the values as little-endian bytes. Each has to be one of the type's.
func (c Companion) encode(data []byte, p quant.Params) error {
	le := binary.LittleEndian
	if c.Suffix == zeroPointSuffix {
		for i, z := range p.ZeroPoint {
			if c.DType.Bits() == 16 {
				le.PutUint16(data[2*i:], uint16(z))
			} else {
				data[i] = uint8(z)
			}
			if back := c.integer(data, i); back != z {
				return fmt.Errorf("zero point %d is not one of %v", z, c.DType)
			}
		}
		return nil
	}
	values := *c.floats(&p)
	var failed float32
	ok := true
	switch c.DType {
	case safetensors.F32:
		for i, v := range values {
			le.PutUint32(data[4*i:], math.Float32bits(v))
		}
	case safetensors.F16:
		failed, ok = encodeAs(data, values, kernels.EncodeFloat16, kernels.DecodeFloat16)
	case safetensors.BF16:
		failed, ok = encodeAs(data, values, kernels.EncodeBFloat16, kernels.DecodeBFloat16)
	case safetensors.F8_E8M0:
		failed, ok = encodeAs(data, values, kernels.EncodeE8M0, kernels.DecodeE8M0)
	case safetensors.F8_E4M3:
		failed, ok = encodeAs(data, values, kernels.EncodeE4M3FN, kernels.DecodeE4M3FN)
	}
	if !ok {
		return fmt.Errorf("%s of %v is not one of %v", c.Suffix[1:], failed, c.DType)
	}
	return nil
}

// encodeAs writes values as little-endian codes, of a byte or two each, and returns the first value that has none.
func encodeAs[E ~uint8 | ~uint16](data []byte, values []float32, encode func([]E, []float32), decode func([]float32, []E)) (float32, bool) {
	codes, back := make([]E, 256), make([]float32, 256)
	wide := len(data) > len(values)
	for first, v := range values {
		i := first % len(codes)
		if i == 0 {
			n := min(len(values)-first, len(codes))
			encode(codes[:n], values[first:][:n])
			decode(back[:n], codes[:n])
		}
		if back[i] != v && v == v {
			return v, false
		}
		if wide {
			binary.LittleEndian.PutUint16(data[2*first:], uint16(codes[i]))
		} else {
			data[first] = uint8(codes[i])
		}
	}
	return 0, true
}

// integer is a zero point.
func (c Companion) integer(data []byte, i int) int32 {
	le := binary.LittleEndian
	switch c.DType {
	case safetensors.I8:
		return int32(int8(data[i]))
	case safetensors.U8:
		return int32(data[i])
	case safetensors.I16:
		return int32(int16(le.Uint16(data[2*i:])))
	case safetensors.U16:
		return int32(le.Uint16(data[2*i:]))
	}
	return int32(le.Uint32(data[4*i:]))
}
