package kernels

import (
	"fmt"
	"math"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp8"
)

func packKernels[C int8 | uint8]() (list []kernel) {
	for _, f := range packedFormats {
		packed := func(g Grid) int { return f.Bytes(elements(g)) }
		fill := func(r *source, t *trial) { fillBytes(r, t.mem[1]) }
		list = append(list, kernel{
			name:     fmt.Sprintf("Pack/%v/%T", f, C(0)),
			operands: []operand{out("dst", bytes8, packed), in("src", bytes8, elements)},
			flat:     true,
			fill:     fill,
			run:      func(t *trial) { Pack(t.mem[0], mem[C](t, 1), f) },
			oracle:   func(t *trial) { portablePack(t.mem[0], t.mem[1], f) },
		}, kernel{
			name:     fmt.Sprintf("Unpack/%v/%T", f, C(0)),
			operands: []operand{out("dst", bytes8, elements), in("src", bytes8, packed)},
			flat:     true,
			fill:     fill,
			run:      func(t *trial) { Unpack(mem[C](t, 0), t.mem[1], f) },
			oracle:   func(t *trial) { portableUnpack(t.mem[0], t.mem[1], f) },
		})
	}
	return list
}

// conversions are the encoders, whose names begin with Encode, and the decoders.
func conversions() []kernel {
	pairs := func(g Grid) int { return (elements(g) + 1) / 2 }
	return []kernel{
		encoder("EncodeFloat16", f16, EncodeFloat16, float16.Fromfloat32),
		encoder("EncodeBFloat16", bf, EncodeBFloat16, bf16.FromFloat32),
		encoder("EncodeE4M3FN", bytes8, EncodeE4M3FN, fp8.E4M3FNFromFloat32),
		encoder("EncodeE4M3FNSat", bytes8, EncodeE4M3FNSat, fp8.E4M3FNFromFloat32Sat),
		encoder("EncodeE5M2", bytes8, EncodeE5M2, fp8.E5M2FromFloat32),
		encoder("EncodeE5M2Sat", bytes8, EncodeE5M2Sat, fp8.E5M2FromFloat32Sat),
		encoder("EncodeE4M3FNUZ", bytes8, EncodeE4M3FNUZ, fp8.E4M3FNUZFromFloat32),
		encoder("EncodeE4M3FNUZSat", bytes8, EncodeE4M3FNUZSat, fp8.E4M3FNUZFromFloat32Sat),
		encoder("EncodeE5M2FNUZ", bytes8, EncodeE5M2FNUZ, fp8.E5M2FNUZFromFloat32),
		encoder("EncodeE5M2FNUZSat", bytes8, EncodeE5M2FNUZSat, fp8.E5M2FNUZFromFloat32Sat),
		encoder("EncodeE8M0", bytes8, EncodeE8M0, fp8.E8M0FromFloat32),
		encoder("EncodeE8M0Sat", bytes8, EncodeE8M0Sat, fp8.E8M0FromFloat32Sat),
		encoder("EncodeE2M1", bytes8, EncodeE2M1, fp4.E2M1FromFloat32),
		decoder("DecodeFloat16", f16, DecodeFloat16, float16.Float16.Float32),
		decoder("DecodeBFloat16", bf, DecodeBFloat16, bf16.BFloat16.Float32),
		decoder("DecodeE4M3FN", bytes8, DecodeE4M3FN, fp8.E4M3FN.Float32),
		decoder("DecodeE5M2", bytes8, DecodeE5M2, fp8.E5M2.Float32),
		decoder("DecodeE4M3FNUZ", bytes8, DecodeE4M3FNUZ, fp8.E4M3FNUZ.Float32),
		decoder("DecodeE5M2FNUZ", bytes8, DecodeE5M2FNUZ, fp8.E5M2FNUZ.Float32),
		decoder("DecodeE8M0", bytes8, DecodeE8M0, fp8.E8M0.Float32),
		decoder("DecodeE2M1", bytes8, DecodeE2M1, fp4.E2M1.Float32),
		{
			name:     "EncodeE2M1Pairs",
			operands: []operand{out("dst", bytes8, pairs), in("src", f32, elements)},
			flat:     true,
			fill: func(r *source, t *trial) {
				nearFloats(r, mem[float32](t, 1), t.grid, &FloatParams{Format: E2M1, Scale: unit(t.grid)})
			},
			run:    func(t *trial) { EncodeE2M1Pairs(mem[fp4.Pair](t, 0), mem[float32](t, 1)) },
			oracle: func(t *trial) { portableEncodePairs(mem[fp4.Pair](t, 0), mem[float32](t, 1)) },
		}, {
			name:     "DecodeE2M1Pairs",
			operands: []operand{out("dst", f32, elements), in("src", bytes8, pairs)},
			flat:     true,
			fill:     func(r *source, t *trial) { fillBytes(r, t.mem[1]) },
			run:      func(t *trial) { DecodeE2M1Pairs(mem[float32](t, 0), mem[fp4.Pair](t, 1)) },
			oracle:   func(t *trial) { portableDecodePairs(mem[float32](t, 0), mem[fp4.Pair](t, 1)) },
		},
	}
}

// unit are scales of 1.
func unit(g Grid) []float32 {
	s := make([]float32, g.Groups)
	for i := range s {
		s[i] = 1
	}
	return s
}

func encoder[D any](name string, e elem, slice func([]D, []float32), one func(float32) D) kernel {
	return kernel{
		name:     name,
		operands: []operand{out("dst", e, elements), in("src", f32, elements)},
		flat:     true,
		fill: func(r *source, t *trial) {
			x := mem[float32](t, 1)
			for i := range x {
				switch r.IntN(4) {
				case 0:
					near(r, &x[i], math.Ldexp(float64(2*r.IntN(256)+1), r.IntN(40)-30))
				case 1: // a float16, a bfloat16, or half-way to the next
					x[i] = neighbour(math.Float32frombits(r.Uint32()&^0xfff), r.IntN(7)-3)
				case 2:
					near(r, &x[i], 4*r.Float64()-2)
				default:
					x[i] = r.special()
				}
			}
		},
		run:    func(t *trial) { slice(mem[D](t, 0), mem[float32](t, 1)) },
		oracle: func(t *trial) { portableConvert(mem[D](t, 0), mem[float32](t, 1), one) },
	}
}

func decoder[S any](name string, e elem, slice func([]float32, []S), one func(S) float32) kernel {
	return kernel{
		name:     name,
		operands: []operand{out("dst", f32, elements), in("src", e, elements)},
		flat:     true,
		fill:     func(r *source, t *trial) { fillBytes(r, t.mem[1]) },
		run:      func(t *trial) { slice(mem[float32](t, 0), mem[S](t, 1)) },
		oracle:   func(t *trial) { portableConvert(mem[float32](t, 0), mem[S](t, 1), one) },
	}
}
