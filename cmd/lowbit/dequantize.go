package main

import (
	"strings"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/safetensors"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
)

// dequantizeCommand is lowbit dequantize: the inverse of quantize.
type dequantizeCommand struct {
	DType  *string `name:"dtype" enum:"f32,f16,bf16" placeholder:"TYPE" help:"Type of the tensors: f32, f16 or bf16; by default what each was."`
	Output string  `short:"o" required:"" placeholder:"OUT" help:"File to write."`
	In     string  `arg:"" name:"IN" help:"File to read, written by lowbit quantize."`
}

// dequantizeJob is the command at work.
type dequantizeJob struct {
	*stream
	in                      *safetensors.File
	out                     *safetensors.Writer
	codes, scale, zero, low memory
	y                       memory
}

// Run dequantizes tensor by tensor, so that memory holds one at a time.
func (c *dequantizeCommand) Run(t *tool) error {
	var files files
	defer files.close()
	j := &dequantizeJob{in: files.open(c.In)}
	if files.err != nil {
		return files.err
	}
	done, err := readRecords(j.in)
	if err != nil {
		return err
	}
	if done == nil {
		return &safetensors.Error{File: j.in.Name(), Err: errNotQuantized}
	}

	l := &layout{in: j.in}
	types := make(map[string]safetensors.DType)
	for _, info := range j.in.Tensors() {
		if r, ok := done[info.Name]; ok {
			name := r.DType
			if c.DType != nil {
				name = strings.ToUpper(*c.DType)
			}
			if types[info.Name], err = safetensors.ParseDType(name); err != nil {
				return err
			}
			l.add(info.Name, types[info.Name], r.Shape)
		} else if !done.parameter(info.Name) {
			l.add(info.Name, info.DType, info.Shape)
		}
	}
	metadata, err := records(nil).addTo(j.in.Metadata())
	if err != nil {
		return err
	}
	if j.out, err = safetensors.Create(c.Output, metadata, l.tensors); err != nil {
		return err
	}
	defer j.out.Close()
	j.stream = t.newStream("dequantize", j.out, j.in)
	defer j.progress.end()

	for _, info := range j.in.Tensors() {
		switch types[info.Name] {
		case safetensors.F32:
			err = dequantizeTensor[float32](j, info, done[info.Name])
		case safetensors.F16:
			err = dequantizeTensor[float16.Float16](j, info, done[info.Name])
		case safetensors.BF16:
			err = dequantizeTensor[bf16.BFloat16](j, info, done[info.Name])
		default:
			if !done.parameter(info.Name) {
				err = j.copy(j.out, j.in, info)
			}
		}
		if err != nil {
			return err
		}
	}
	files.close() // OUT may take the place of it
	return j.out.Commit()
}

// dequantizeTensor writes a tensor of type T.
func dequantizeTensor[T kernels.Float](j *dequantizeJob, info safetensors.Info, r record) (err error) {
	codes := r.codes()
	if codes.Data, err = read[uint8](j.stream, j.in, info, &j.codes); err != nil {
		return err
	}
	for _, suffix := range parameterSuffixes(r.Spec.DType) {
		p, _ := j.in.Lookup(info.Name + suffix)
		codes.Params.Shape = p.Shape
		switch suffix {
		case scaleSuffix:
			codes.Params.Scale, err = read[float32](j.stream, j.in, p, &j.scale)
		case zeroPointSuffix:
			codes.Params.ZeroPoint, err = read[int32](j.stream, j.in, p, &j.zero)
		case minvalSuffix:
			codes.Params.MinVal, err = read[float32](j.stream, j.in, p, &j.low)
		}
		if err != nil {
			return err
		}
	}
	var y quant.Tensor[T]
	n := int64(1)
	for _, d := range r.Shape {
		n *= int64(d)
	}
	if y.Data, err = lend[T](&j.y, n); err != nil {
		return inTensor(j.in, info.Name, err)
	}
	if err := quant.Dequantize(&y, codes, j.workers); err != nil {
		return inTensor(j.in, info.Name, err)
	}
	return write(j.stream, j.out, info.Name, y.Data)
}
