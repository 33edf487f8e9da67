package checkpoint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/gguf"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/safetensors"
)

// Dequantization is the job of giving the plain model back: each quantized tensor becomes one tensor under its own name, its companions
// are dropped, and config.json loses its quantization_config. Tensors that are not quantized stay as they are; from a GGUF file all
// floating-point tensors become DType, F32 unless it is given.
type Dequantization struct {
	DType  safetensors.DType    // F32, F16 or BF16; 0 for each tensor's own DType
	Select func(t *Tensor) bool // which quantized tensors; the others stay quantized, and quantization_config with them. Nil for all
	Name   string               // tells what Select selects
}

// String names the job.
func (d Dequantization) String() string { return fmt.Sprintf("dequantize %v %s", d.DType, d.Name) }

// Convert takes the quantized tensors that are selected; of a GGUF file all that are floating-point numbers, and what is not selected is
// left out if no safetensors file can hold it.
func (d Dequantization) Convert(t *Tensor) (Converter, error) {
	_, fromGGUF := t.lead().File.(*gguf.File)
	if d.Select != nil && !d.Select(t) {
		if fromGGUF && t.Quantized() {
			return dropper{}, nil
		}
		return nil, nil
	}
	if !t.Quantized() && !(fromGGUF && floating(t.dtype)) {
		return nil, nil
	}
	if err := t.Err(); err != nil {
		if fromGGUF {
			err = fmt.Errorf("%w: leave it out with --exclude", err)
		}
		return nil, err
	}
	dtype := d.DType
	switch {
	case dtype != 0:
	case fromGGUF:
		dtype = safetensors.F32
	default:
		dtype = t.dtype
	}
	if l, ok := layoutOf(t).(*own); ok {
		return l.dequantizer(t, dtype)
	}
	switch dtype {
	case safetensors.F32:
		return rows[float32]{t}, nil
	case safetensors.F16:
		return rows[float16.Float16]{t}, nil
	case safetensors.BF16:
		return rows[bf16.BFloat16]{t}, nil
	}
	return nil, fmt.Errorf("checkpoint: cannot dequantize to %v, want F32, F16 or BF16", dtype)
}

// Metadata keeps the metadata, but for what it says of tensors that are no longer quantized.
func (d Dequantization) Metadata(f *safetensors.File, _ iter.Seq[string], made func(string) Converter) (map[string]string, error) {
	if f == nil {
		return nil, nil
	}
	records, err := ReadRecords(f)
	if err != nil || records == nil {
		return f.Metadata(), err
	}
	for name := range records {
		if made(name) != nil {
			delete(records, name)
		}
	}
	if len(records) == 0 {
		records = nil
	}
	return records.Metadata(f.Metadata())
}

// Config drops the quantization_config, unless some tensor stays quantized.
func (d Dequantization) Config(old []byte, changes []Change) ([]byte, error) {
	if old == nil {
		return nil, nil
	}
	for _, c := range changes {
		if c.Tensor.Quantized() && !c.Converted {
			return old, nil
		}
	}
	if !bytes.Contains(old, []byte(quantizationKey)) && !bytes.Contains(old, []byte(olderKey)) {
		return old, nil // as it lies there
	}
	return editConfig(old, nil)
}

// rows are the rows of a tensor.
type rows[T kernels.Float] struct{ t *Tensor }

func (r rows[T]) Outputs() []safetensors.Info {
	return []safetensors.Info{{Name: r.t.Name(), DType: dtypeOf[T](), Shape: safetensors.ShapeOf(r.t.Shape()...)}}
}

func (r rows[T]) Pieces(most int64) iter.Seq[Piece] {
	row := int64(r.t.RowLen()) * int64(dtypeOf[T]().Bits()/8)
	switch layoutOf(r.t).(type) {
	case *gptq, *awq, *transposedMX:
		most *= 8 // each of their pieces reads a part of every row that is stored
	}
	return rowPieces(r.t.Name(), r.t.Rows(), layoutOf(r.t).step(), row, most, func(first, n int) []Run {
		return []Run{{0, int64(first) * row, int64(n) * row}}
	})
}

func (r rows[T]) Do(s *Scratch, p Piece) ([][]byte, error) {
	dst := lend[T](&s.out[0], p.Rows*r.t.RowLen())
	if err := ReadRows(r.t, dst, p.First); err != nil {
		return nil, err
	}
	toggleEndian(dst)
	s.results = append(s.results[:0], bytesOf(dst))
	return s.results, nil
}

// editConfig sets the quantization_config of a config.json, nil for none, and drops the key that it had once. All else stays, in its order.
func editConfig(old []byte, quantization any) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(old))
	d.UseNumber()
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteByte('{')
	add := func(key string, value []byte) error {
		name, err := json.Marshal(key)
		if err != nil {
			return err
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
		return nil
	}
	put := quantization == nil
	write := func() error {
		if put {
			return nil
		}
		put = true
		value, err := json.Marshal(quantization)
		if err != nil {
			return err
		}
		return add(quantizationKey, value)
	}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		key := token.(string)
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		if key == quantizationKey || key == olderKey {
			continue
		}
		if key == "text_config" && quantization == nil {
			if value, err = editNested(value); err != nil {
				return nil, err
			}
		}
		if key > quantizationKey {
			if err := write(); err != nil {
				return nil, err
			}
		}
		if err := add(key, value); err != nil {
			return nil, err
		}
	}
	if err := write(); err != nil {
		return nil, err
	}
	b.WriteByte('}')
	var out bytes.Buffer
	if err := json.Indent(&out, b.Bytes(), "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// editNested drops the quantization_config of the model within a model of several.
func editNested(value json.RawMessage) (json.RawMessage, error) {
	if len(value) == 0 || value[0] != '{' || !bytes.Contains(value, []byte(quantizationKey)) && !bytes.Contains(value, []byte(olderKey)) {
		return value, nil
	}
	text, err := editConfig(value, nil)
	return json.RawMessage(text), err
}
