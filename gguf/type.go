package gguf

import (
	"fmt"
	"strings"

	"github.com/lowbit-go/lowbit/internal/tensorfile"
)

// Type is the type of a tensor's blocks, as the file has it. The zero value is F32.
type Type uint32

// The types that files have. Those that Quantize and Dequantize know are F32 to MXFP4 and NVFP4 as Supported says; all others are known by
// name and size only.
const (
	F32     Type = 0
	F16     Type = 1
	Q4_0    Type = 2
	Q4_1    Type = 3
	Q5_0    Type = 6
	Q5_1    Type = 7
	Q8_0    Type = 8
	Q8_1    Type = 9
	Q2_K    Type = 10
	Q3_K    Type = 11
	Q4_K    Type = 12
	Q5_K    Type = 13
	Q6_K    Type = 14
	Q8_K    Type = 15
	IQ2_XXS Type = 16
	IQ2_XS  Type = 17
	IQ3_XXS Type = 18
	IQ1_S   Type = 19
	IQ4_NL  Type = 20
	IQ3_S   Type = 21
	IQ2_S   Type = 22
	IQ4_XS  Type = 23
	I8      Type = 24
	I16     Type = 25
	I32     Type = 26
	I64     Type = 27
	F64     Type = 28
	IQ1_M   Type = 29
	BF16    Type = 30
	TQ1_0   Type = 34
	TQ2_0   Type = 35
	MXFP4   Type = 39
	NVFP4   Type = 40
)

// typeInfo is what is known of a type. A length of 0 says that its blocks are not known.
type typeInfo struct {
	name       string
	len, bytes int
	codec      bool // Quantize and Dequantize know it
}

var types = [...]typeInfo{
	F32: {"F32", 1, 4, true}, F16: {"F16", 1, 2, true}, BF16: {"BF16", 1, 2, true}, F64: {"F64", 1, 8, false},
	I8: {"I8", 1, 1, false}, I16: {"I16", 1, 2, false}, I32: {"I32", 1, 4, false}, I64: {"I64", 1, 8, false},
	Q4_0: {"Q4_0", 32, 18, true}, Q4_1: {"Q4_1", 32, 20, true}, Q5_0: {"Q5_0", 32, 22, true}, Q5_1: {"Q5_1", 32, 24, true},
	Q8_0: {"Q8_0", 32, 34, true}, Q8_1: {"Q8_1", 32, 36, false},
	Q2_K: {"Q2_K", 256, 84, true}, Q3_K: {"Q3_K", 256, 110, true}, Q4_K: {"Q4_K", 256, 144, true}, Q5_K: {"Q5_K", 256, 176, true},
	Q6_K: {"Q6_K", 256, 210, true}, Q8_K: {"Q8_K", 256, 292, false},
	IQ1_S: {"IQ1_S", 256, 50, false}, IQ1_M: {"IQ1_M", 256, 56, false},
	IQ2_XXS: {"IQ2_XXS", 256, 66, false}, IQ2_XS: {"IQ2_XS", 256, 74, false}, IQ2_S: {"IQ2_S", 256, 82, false},
	IQ3_XXS: {"IQ3_XXS", 256, 98, false}, IQ3_S: {"IQ3_S", 256, 110, false},
	IQ4_NL: {"IQ4_NL", 32, 18, true}, IQ4_XS: {"IQ4_XS", 256, 136, true},
	TQ1_0: {"TQ1_0", 256, 54, false}, TQ2_0: {"TQ2_0", 256, 66, false},
	MXFP4: {"MXFP4", 32, 17, true}, NVFP4: {"NVFP4", 64, 36, true},
	41: {name: "Q1_0"}, 42: {name: "Q2_0"},
}

func (t Type) info() typeInfo {
	if uint64(t) < uint64(len(types)) {
		return types[t]
	}
	return typeInfo{}
}

// Types lists the types that Quantize and Dequantize know, in the order of their numbers.
func Types() (known []Type) {
	for t := range types {
		if types[t].codec {
			known = append(known, Type(t))
		}
	}
	return known
}

// ParseType finds a type by its name, in capitals or not.
func ParseType(name string) (Type, error) {
	for t := range types {
		if types[t].name != "" && strings.EqualFold(types[t].name, name) {
			return Type(t), nil
		}
	}
	return 0, fmt.Errorf("unknown type %s", tensorfile.Quote(name))
}

// String gives the name that ggml has for the type, in capitals, or the number of one that has none here.
func (t Type) String() string {
	if name := t.info().name; name != "" {
		return name
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// Known tells whether the size of the type's blocks is known.
func (t Type) Known() bool { return t.info().len > 0 }

// Supported tells whether Quantize and Dequantize know the type.
func (t Type) Supported() bool { return t.info().codec }

// Quantized tells whether the type has blocks of more than one element, as all have that are not known.
func (t Type) Quantized() bool { return t.info().len != 1 }

// Weighed tells whether an importance matrix makes a difference to Quantize.
func (t Type) Weighed() bool {
	switch t {
	case Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS:
		return true
	}
	return false
}

// BlockLen is the number of elements of a block, 0 if it is not known.
func (t Type) BlockLen() int { return t.info().len }

// BlockBytes is the number of bytes of a block, 0 if it is not known.
func (t Type) BlockBytes() int { return t.info().bytes }

// Bytes is the number of bytes of n elements, a multiple of BlockLen.
func (t Type) Bytes(n int) int { return n / t.BlockLen() * t.BlockBytes() }
