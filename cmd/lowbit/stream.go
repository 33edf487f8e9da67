package main

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/safetensors"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
)

// pieceSize is how many bytes are read or written at a time.
const pieceSize = 1 << 20

// stream moves tensors between files and memory, in pieces and with several workers.
type stream struct {
	*tool
	progress *progress             // counts the bytes read and written
	pieces   pool[[pieceSize]byte] // of copy
}

// newStream prepares to read those tensors and to write what w has.
func (t *tool) newStream(what string, w *safetensors.Writer, inputs ...*safetensors.File) *stream {
	total := int64(0)
	for _, info := range w.Tensors() {
		total += info.Size
	}
	for _, f := range inputs {
		for _, info := range f.Tensors() {
			total += info.Size
		}
	}
	return &stream{tool: t, progress: newProgress(t.stderr, what, total, true)}
}

// each calls do for the pieces of a whole of that size, from several goroutines. It stops at an error, and when the user interrupts.
func (t *tool) each(size, piece int64, do func(off, n int64) error) error {
	workers := int(min(int64(t.workers), (size+piece-1)/piece))
	var next atomic.Int64
	var failed atomic.Bool
	errs := make([]error, workers)
	work := func(worker int) {
		for !failed.Load() {
			off := next.Add(piece) - piece
			if off >= size {
				return
			}
			n := min(piece, size-off)
			err := t.ctx.Err()
			if err == nil {
				err = do(off, n)
			} else {
				err = errInterrupted
			}
			if err != nil {
				errs[worker] = err
				failed.Store(true)
				return
			}
		}
	}
	var others sync.WaitGroup
	for worker := 1; worker < workers; worker++ {
		others.Go(func() { work(worker) })
	}
	if workers > 0 {
		work(0)
	}
	others.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// copy copies a tensor as it is.
func (s *stream) copy(w *safetensors.Writer, f *safetensors.File, info safetensors.Info) error {
	return s.each(info.Size, pieceSize, func(off, n int64) error {
		memory := s.pieces.get()
		defer s.pieces.put(memory)
		piece := memory[:n]
		if err := f.ReadTensor(info.Name, piece, off); err != nil {
			return err
		}
		s.progress.add(2 * n)
		return w.WriteTensor(info.Name, piece, off)
	})
}

// read returns a tensor's elements, or as uint8 its bytes, in memory that m lends until it is asked again.
func read[E element](s *stream, f *safetensors.File, info safetensors.Info, m *memory) ([]E, error) {
	elements, err := lend[E](m, info.Size/int64(unsafe.Sizeof(*new(E))))
	if err != nil {
		return nil, inTensor(f, info.Name, err)
	}
	bytes := bytesOf(elements)
	if err := s.each(info.Size, pieceSize, func(off, n int64) error {
		s.progress.add(n)
		return f.ReadTensor(info.Name, bytes[off:off+n], off)
	}); err != nil {
		return nil, err
	}
	toggleEndian(elements)
	return elements, nil
}

// readFloats returns the named tensor, in memory that m lends until it is asked again.
func readFloats[T kernels.Float](s *stream, f *safetensors.File, name string, m *memory) (quant.Tensor[T], error) {
	info, _ := f.Lookup(name)
	data, err := read[T](s, f, info, m)
	return quant.Tensor[T]{Data: data, Shape: info.Shape}, err
}

// write writes a tensor's elements, and leaves them in the order of the file's bytes.
func write[E element](s *stream, w *safetensors.Writer, name string, elements []E) error {
	toggleEndian(elements)
	bytes := bytesOf(elements)
	return s.each(int64(len(bytes)), pieceSize, func(off, n int64) error {
		s.progress.add(n)
		return w.WriteTensor(name, bytes[off:off+n], off)
	})
}
