package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
)

// KV is a pair of the metadata. Its value is one of
//
//	uint8 int8 uint16 int16 uint32 int32 uint64 int64 float32 float64 bool string
//
// or a slice of one of them. Strings of values need not be valid UTF-8: tokens are not always.
type KV struct {
	Key   string
	Value any
}

// The numbers that the format has for the types of values.
const (
	kindUint8 uint32 = iota
	kindInt8
	kindUint16
	kindInt16
	kindUint32
	kindInt32
	kindFloat32
	kindBool
	kindString
	kindArray
	kindUint64
	kindInt64
	kindFloat64
)

// kindSizes has the bytes of a value; of a string it is the least.
var kindSizes = [...]int64{
	kindUint8: 1, kindInt8: 1, kindUint16: 2, kindInt16: 2, kindUint32: 4, kindInt32: 4, kindFloat32: 4, kindBool: 1, kindString: 8,
	kindArray: 12, kindUint64: 8, kindInt64: 8, kindFloat64: 8,
}

// value reads a value of a type.
func (s *scanner) value(kind uint32) (any, error) {
	switch kind {
	case kindUint8:
		return one(s, (*scanner).uint8)
	case kindInt8:
		return one(s, (*scanner).int8)
	case kindUint16:
		return one(s, (*scanner).uint16)
	case kindInt16:
		return one(s, (*scanner).int16)
	case kindUint32:
		return one(s, (*scanner).uint32)
	case kindInt32:
		return one(s, (*scanner).int32)
	case kindFloat32:
		return one(s, (*scanner).float32)
	case kindBool:
		return one(s, (*scanner).bool)
	case kindString:
		return one(s, (*scanner).string)
	case kindArray:
		return s.array()
	case kindUint64:
		return one(s, (*scanner).uint64)
	case kindInt64:
		return one(s, (*scanner).int64)
	case kindFloat64:
		return one(s, (*scanner).float64)
	}
	return nil, s.failf("value of the unknown type %d", kind)
}

func one[E any](s *scanner, read func(*scanner) (E, error)) (any, error) {
	v, err := read(s)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// array reads an array of values of one type.
func (s *scanner) array() (any, error) {
	kind, err := s.uint32()
	if err != nil {
		return nil, err
	}
	n, err := s.uint64()
	if err != nil {
		return nil, err
	}
	if kind == kindArray {
		return nil, s.failf("array of arrays")
	}
	if uint64(kind) >= uint64(len(kindSizes)) {
		return nil, s.failf("array of values of the unknown type %d", kind)
	}
	if n > uint64(s.left()/kindSizes[kind]) {
		return nil, s.failf("array of %d values of %d bytes or more, where %d bytes are left", n, kindSizes[kind], s.left())
	}
	switch kind {
	case kindUint8:
		return many(s, n, (*scanner).uint8)
	case kindInt8:
		return many(s, n, (*scanner).int8)
	case kindUint16:
		return many(s, n, (*scanner).uint16)
	case kindInt16:
		return many(s, n, (*scanner).int16)
	case kindUint32:
		return many(s, n, (*scanner).uint32)
	case kindInt32:
		return many(s, n, (*scanner).int32)
	case kindFloat32:
		return many(s, n, (*scanner).float32)
	case kindBool:
		return many(s, n, (*scanner).bool)
	case kindString:
		return many(s, n, (*scanner).string)
	case kindUint64:
		return many(s, n, (*scanner).uint64)
	case kindInt64:
		return many(s, n, (*scanner).int64)
	default:
		return many(s, n, (*scanner).float64)
	}
}

// many reads n values. Memory grows with what is read, not with what the count says.
func many[E any](s *scanner, n uint64, read func(*scanner) (E, error)) (any, error) {
	values := make([]E, 0, min(n, 1024))
	for range n {
		v, err := read(s)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

// appendValue appends the type and the bytes of a value.
func appendValue(b []byte, value any) ([]byte, error) {
	le := binary.LittleEndian
	switch v := value.(type) {
	case uint8:
		return append(le.AppendUint32(b, kindUint8), v), nil
	case int8:
		return append(le.AppendUint32(b, kindInt8), byte(v)), nil
	case uint16:
		return le.AppendUint16(le.AppendUint32(b, kindUint16), v), nil
	case int16:
		return le.AppendUint16(le.AppendUint32(b, kindInt16), uint16(v)), nil
	case uint32:
		return le.AppendUint32(le.AppendUint32(b, kindUint32), v), nil
	case int32:
		return le.AppendUint32(le.AppendUint32(b, kindInt32), uint32(v)), nil
	case float32:
		return le.AppendUint32(le.AppendUint32(b, kindFloat32), math.Float32bits(v)), nil
	case bool:
		return append(le.AppendUint32(b, kindBool), truth(v)), nil
	case string:
		return appendString(le.AppendUint32(b, kindString), v), nil
	case uint64:
		return le.AppendUint64(le.AppendUint32(b, kindUint64), v), nil
	case int64:
		return le.AppendUint64(le.AppendUint32(b, kindInt64), uint64(v)), nil
	case float64:
		return le.AppendUint64(le.AppendUint32(b, kindFloat64), math.Float64bits(v)), nil
	case []uint8:
		return append(appendArray(b, kindUint8, len(v)), v...), nil
	case []int8:
		return appendEach(b, kindInt8, v, func(b []byte, e int8) []byte { return append(b, byte(e)) }), nil
	case []uint16:
		return appendEach(b, kindUint16, v, le.AppendUint16), nil
	case []int16:
		return appendEach(b, kindInt16, v, func(b []byte, e int16) []byte { return le.AppendUint16(b, uint16(e)) }), nil
	case []uint32:
		return appendEach(b, kindUint32, v, le.AppendUint32), nil
	case []int32:
		return appendEach(b, kindInt32, v, func(b []byte, e int32) []byte { return le.AppendUint32(b, uint32(e)) }), nil
	case []float32:
		return appendEach(b, kindFloat32, v, func(b []byte, e float32) []byte { return le.AppendUint32(b, math.Float32bits(e)) }), nil
	case []bool:
		return appendEach(b, kindBool, v, func(b []byte, e bool) []byte { return append(b, truth(e)) }), nil
	case []string:
		return appendEach(b, kindString, v, appendString), nil
	case []uint64:
		return appendEach(b, kindUint64, v, le.AppendUint64), nil
	case []int64:
		return appendEach(b, kindInt64, v, func(b []byte, e int64) []byte { return le.AppendUint64(b, uint64(e)) }), nil
	case []float64:
		return appendEach(b, kindFloat64, v, func(b []byte, e float64) []byte { return le.AppendUint64(b, math.Float64bits(e)) }), nil
	}
	return nil, fmt.Errorf("the format has no values of type %T", value)
}

func appendArray(b []byte, kind uint32, n int) []byte {
	b = binary.LittleEndian.AppendUint32(b, kindArray)
	b = binary.LittleEndian.AppendUint32(b, kind)
	return binary.LittleEndian.AppendUint64(b, uint64(n))
}

func appendEach[E any](b []byte, kind uint32, values []E, one func([]byte, E) []byte) []byte {
	b = appendArray(b, kind, len(values))
	for _, v := range values {
		b = one(b, v)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
}

func truth(v bool) byte {
	if v {
		return 1
	}
	return 0
}
