package main

import (
	"errors"
	"strings"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
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
	in  *safetensors.File
	out *safetensors.Writer
}

// Run dequantizes piece by piece, so that memory holds a few of them at a time.
func (c *dequantizeCommand) Run(t *tool) error {
	var files files
	defer files.close()
	j := &dequantizeJob{in: files.open(c.In)}
	if files.err != nil {
		return files.err
	}
	done, err := checkpoint.ReadRecords(j.in)
	if err != nil {
		return err
	}
	if done == nil {
		return &safetensors.Error{File: j.in.Name(), Err: errors.New("__metadata__ does not say how it was quantized: lowbit quantize has not written it")}
	}

	l := &layout{in: j.in, taken: inFile(j.in)}
	types := make(map[string]safetensors.DType)
	for _, info := range j.in.Tensors() {
		if r, ok := done[info.Name]; ok {
			types[info.Name] = r.DType
			if c.DType != nil {
				if types[info.Name], err = safetensors.ParseDType(strings.ToUpper(*c.DType)); err != nil {
					return err
				}
			}
			l.add(info.Name, types[info.Name], r.Shape)
		} else if !done.Companion(info.Name) {
			l.add(info.Name, info.DType, info.Shape)
		}
	}
	metadata, err := checkpoint.Records(nil).Metadata(j.in.Metadata())
	if err != nil {
		return err
	}
	if j.out, err = safetensors.Create(c.Output, metadata, l.tensors); err != nil {
		return err
	}
	defer j.out.Close()
	j.stream = t.newStream("dequantize", size(j.in.Tensors()), size(j.out.Tensors()))
	defer j.end()

	for _, info := range j.in.Tensors() {
		switch types[info.Name] {
		case safetensors.F32:
			err = dequantizeTensor[float32](j, info, done[info.Name])
		case safetensors.F16:
			err = dequantizeTensor[float16.Float16](j, info, done[info.Name])
		case safetensors.BF16:
			err = dequantizeTensor[bf16.BFloat16](j, info, done[info.Name])
		default:
			if !done.Companion(info.Name) {
				err = j.copy(j.out, j.in, info)
			}
		}
		if err != nil {
			return err
		}
	}
	return j.commit(&files, j.out)
}

// dequantizeTensor begins to write a tensor of type T.
func dequantizeTensor[T kernels.Float](j *dequantizeJob, info safetensors.Info, r checkpoint.Record) error {
	codes := r.Codes()
	scale, _ := j.in.Lookup(info.Name + scaleSuffix)
	codes.Params.Shape = scale.Shape.Dims()
	p, err := quant.PiecesOf[T](codes)
	if err != nil {
		return inTensor(j.in, info.Name, err)
	}
	parameters := func(p *quant.Params, part quant.Part) error {
		return r.ReadParams(p, part.Group, part.Groups, func(suffix string, data []byte, off int64) error {
			return get(j.stream, j.in, info.Name+suffix, data, off)
		})
	}
	// dequantize does a part, or a piece of one, whose parameters are there.
	dequantize := func(b *workbench, piece quant.Part, params quant.Params) error {
		codes, y := lend[uint8](&b.in, piece.Bytes), lend[T](&b.out, piece.Len)
		if err := get(j.stream, j.in, info.Name, codes, int64(piece.Byte)); err != nil {
			return err
		}
		if err := p.Dequantize(y, piece, codes, params); err != nil {
			return inTensor(j.in, info.Name, err)
		}
		return put(j.stream, j.out, info.Name, y, int64(piece.First)*sizeOf[T]())
	}
	for part := range p.Parts(pieceLen[T]()) {
		if fits[T](j.stream, part) {
			if err := j.do(func(b *workbench) error {
				if err := parameters(&b.params, part); err != nil {
					return err
				}
				return dequantize(b, part, b.params)
			}); err != nil {
				return err
			}
			continue
		}
		var params quant.Params
		if err := parameters(&params, part); err != nil {
			return err
		}
		for piece := range p.Cut(part, pieceLen[T]()) {
			if err := j.do(func(b *workbench) error { return dequantize(b, piece, params) }); err != nil {
				return err
			}
		}
	}
	return nil
}
