package main

import (
	"bytes"
	"fmt"
	"time"

	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/internal/demo"
	"github.com/lowbit-go/lowbit/internal/quantizers"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// demoCommand is lowbit demo: real weights, in each format.
type demoCommand struct{}

// demoFormats are the rows of the table.
var demoFormats = []struct{ name, spec string }{
	{"int8, per channel", `{"dtype":"int8","granularity":{"type":"per_channel","axis":0}}`},
	{"int8, per channel, asymmetric", `{"dtype":"int8","qscheme":"asymmetric","granularity":{"type":"per_channel","axis":0}}`},
	{"int4, blocks of 32", `{"dtype":"int4","granularity":{"type":"per_block","axis":1,"block_size":32}}`},
	{"int4, blocks of 32, searched", `{"dtype":"int4","range_calculator_cls":"mse","granularity":{"type":"per_block","axis":1,"block_size":32}}`},
	{"uint4, blocks of 32, minval", `{"dtype":"uint4","qscheme":"asymmetric","qformulation":"minval","granularity":{"type":"per_block","axis":1,"block_size":32}}`},
	{"int2, blocks of 32", `{"dtype":"int2","granularity":{"type":"per_block","axis":1,"block_size":32}}`},
	{"int2, blocks of 32, searched", `{"dtype":"int2","range_calculator_cls":"mse","granularity":{"type":"per_block","axis":1,"block_size":32}}`},
	{"fp8 e4m3, per channel", `{"dtype":"float8_e4m3fn","granularity":{"type":"per_channel","axis":0}}`},
	{"fp8 e5m2, per channel", `{"dtype":"float8_e5m2","granularity":{"type":"per_channel","axis":0}}`},
	{"mxfp8 e4m3, blocks of 32", `{"dtype":"float8_e4m3fn","scale_dtype":"float8_e8m0fnu","granularity":{"type":"per_block","axis":1,"block_size":32}}`},
	{"mxfp4, blocks of 32", `{"dtype":"float4_e2m1fn_x2","granularity":{"type":"per_block","axis":1,"block_size":32}}`},
	{"nvfp4, blocks of 16", `{"dtype":"float4_e2m1fn_x2","scale_dtype":"float8_e4m3fn","granularity":{"type":"per_block","axis":1,"block_size":16}}`},
	{"nvfp4, blocks of 16, searched", `{"dtype":"float4_e2m1fn_x2","scale_dtype":"float8_e4m3fn","range_calculator_cls":"mse","granularity":{"type":"per_block","axis":1,"block_size":16}}`},
}

// demoTime is how long the speed of a format is measured.
const demoTime = 100 * time.Millisecond

// Run quantizes the matrices; biases and gains stay as they are, as they do in practice.
func (c *demoCommand) Run(t *tool) error {
	f, err := demo.Open()
	if err != nil {
		return err
	}
	var weights []quant.Tensor[float32]
	elements := 0
	for _, info := range f.Tensors() {
		if info.Shape.Rank() < 2 {
			continue
		}
		x := quant.Tensor[float32]{Data: make([]float32, info.Elements()), Shape: info.Shape.Dims()}
		if err := f.ReadTensor(info.Name, bytesOf(x.Data), 0); err != nil {
			return err
		}
		toggleEndian(x.Data)
		weights = append(weights, x)
		elements += len(x.Data)
	}
	fmt.Fprintf(t.stdout, "%d weight matrices (%d weights, float32) of the first encoder layer of all-MiniLM-L6-v2 (Apache-2.0),\n", len(weights), elements)
	fmt.Fprintf(t.stdout, "fake-quantized: observed, quantized and dequantized, with a mask of what was clipped\n\n")

	rows := newTable(t.stdout, column{head: "FORMAT", most: 60}, column{head: ">BITS/WEIGHT", most: 14}, column{head: ">SQNR", most: 14}, column{head: ">CLIPPED", most: 12},
		column{head: "ISA", most: 12}, column{head: ">GB/S", most: 10})
	for _, format := range demoFormats {
		spec, err := quant.ParseSpec([]byte(format.spec))
		if err != nil {
			return err
		}
		r, err := demonstrate(t, spec, weights)
		if err != nil {
			return err
		}
		n := float64(elements)
		rows.add(format.name, fmt.Sprintf("%.2f", r.bits/n), decibels(r.signal, r.noise), fmt.Sprintf("%.3f %%", 100*r.clipped/n),
			kernels.Implementation(), fmt.Sprintf("%.2f", r.speed))
	}
	if err := rows.flush(); err != nil {
		return err
	}
	fmt.Fprintf(t.stdout, "\nbits/weight: codes and parameters, as lowbit quantize --pack writes them (a scale and a minval as the weights, a power of two in 8 bits, a zero point in 8)\n")
	fmt.Fprintf(t.stdout, "GB/s: bytes read and written, 9 per weight; workers %d\n", t.workers)
	fmt.Fprintf(t.stdout, "searched: scales of the least squared error (\"range_calculator_cls\":\"mse\"), found anew each time; to read the result takes no longer\n")
	_, err = fmt.Fprintf(t.stdout, "every bit is that of the portable Go code, which was run too\n")
	return err
}

// demonstration is what demo shows of a format, summed over the weights.
type demonstration struct {
	bits, signal, noise, clipped float64
	speed                        float64 // in GB/s
}

func demonstrate(t *tool, spec quant.Spec, weights []quant.Tensor[float32]) (r demonstration, err error) {
	var places []quantizers.Quantizer[float32]
	outputs := make([]quant.Tensor[float32], len(weights))
	masks := make([]quant.Mask, len(weights))
	moved, best := 0.0, time.Duration(0)
	for i, x := range weights {
		if t.ctx.Err() != nil {
			return r, errInterrupted
		}
		q, err := quantizers.New[float32](spec, quant.Weight, quantizers.Options{Workers: t.workers})
		if err != nil {
			return r, err
		}
		places = append(places, q)
		masks[i].Kind = quant.ByteMask
		begin := time.Now()
		if err := q.FakeQuantize(&outputs[i], x, &masks[i]); err != nil {
			return r, err
		}
		best += time.Since(begin)
		bits, err := written(spec, x)
		if err != nil {
			return r, err
		}
		r.bits += float64(bits)
		for k, v := range x.Data {
			e := float64(v) - float64(outputs[i].Data[k])
			r.signal += float64(v) * float64(v)
			r.noise += e * e
			r.clipped += float64(1 - masks[i].Data[k])
		}
		moved += float64(9 * len(x.Data))
	}
	if err := checkPortable(t, spec, weights, outputs, masks); err != nil {
		return r, err
	}
	for spent := best; spent < demoTime; {
		if err := t.ctx.Err(); err != nil {
			return r, errInterrupted
		}
		begin := time.Now()
		for i, x := range weights {
			if err := places[i].FakeQuantize(&outputs[i], x, &masks[i]); err != nil {
				return r, err
			}
		}
		took := time.Since(begin)
		best, spent = min(best, took), spent+took
	}
	r.speed = moved / float64(best.Nanoseconds())
	return r, nil
}

// written counts the bits that lowbit quantize writes of a tensor, packed: codes and parameters.
func written(spec quant.Spec, x quant.Tensor[float32]) (bits int64, err error) {
	groups, err := spec.Granularity.Groups(x.Shape, quant.Weight)
	if err != nil {
		return 0, err
	}
	r := checkpoint.Record{Spec: spec, DType: safetensors.F32, Shape: safetensors.ShapeOf(x.Shape...), Packed: spec.DType.Bits() < 8}
	return r.Bits(safetensors.ShapeOf(groups...).Elements()), nil
}

// checkPortable makes sure that every bit is that of the portable code.
func checkPortable(t *tool, spec quant.Spec, weights, outputs []quant.Tensor[float32], masks []quant.Mask) error {
	impl := kernels.Implementation()
	if impl == "generic" {
		return nil // it is that
	}
	if err := kernels.Use("generic"); err != nil {
		return err
	}
	defer kernels.Use(impl)
	for i, x := range weights {
		if t.ctx.Err() != nil {
			return errInterrupted
		}
		q, err := quantizers.New[float32](spec, quant.Weight, quantizers.Options{Workers: t.workers})
		if err != nil {
			return err
		}
		var y quant.Tensor[float32]
		mask := quant.Mask{Kind: quant.ByteMask}
		if err := q.FakeQuantize(&y, x, &mask); err != nil {
			return err
		}
		if !bytes.Equal(bytesOf(y.Data), bytesOf(outputs[i].Data)) || !bytes.Equal(mask.Data, masks[i].Data) {
			return fmt.Errorf("%s gives other bits than the portable code for %v", impl, spec)
		}
	}
	return nil
}
