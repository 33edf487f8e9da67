package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/safetensors"
)

// Sizes in bytes.
var (
	// pieceSize is how much is read or written at a time: what is read is still in a core's cache when it is worked on. A variable for
	// the tests.
	pieceSize int64 = 2 << 20
	// wholeSize is how much of a tensor a worker may have in memory, so that groups that do not fit a piece are read once only. A variable
	// for the tests.
	wholeSize int64 = 16 << 20
)

// memoryLimit is how much memory all workers together may have for elements; their codes take half of that at most.
const memoryLimit = 128 << 20

// stream moves tensors between files. Each of its workers reads a piece, works on it and writes what comes of it, while the others do that
// with pieces of their own; the bytes that they move do not leave the caches more often than they must.
type stream struct {
	*taskGroup
	what          string
	progress      *progress // counts the bytes read and written
	begun         time.Time
	before, after int64 // bytes of the tensors of all inputs, and of the output
	workspaces    pool[workspace]
	writing       sync.Mutex // the file system takes one write to a file at a time, and lets the others spin
}

// workspace is the memory of one worker.
type workspace struct {
	in, out memory
}

// newStream prepares to read and to write tensors of so many bytes.
func (t *tool) newStream(what string, before, after int64) *stream {
	s := &stream{taskGroup: t.newTaskGroup(min(t.workers, int(memoryLimit/pieceSize))), what: what, begun: time.Now(), before: before, after: after}
	s.progress = newProgress(t.stderr, what, s.before+s.after, true)
	return s
}

// end waits for what is under way.
func (s *stream) end() {
	s.tasks.Wait()
	s.progress.end()
}

// commit waits for what is under way, makes OUT appear, and prints the closing line. OUT may take the place of one of the files that were
// read. Other files appear before it, but none before all are written in full: OUT is there if and only if the work is done.
func (s *stream) commit(files *files, out *safetensors.Writer, others ...*safetensors.Writer) error {
	if err := s.wait(); err != nil {
		return err
	}
	files.close()
	writers := append(others, out)
	for _, w := range writers {
		if err := w.Seal(); err != nil {
			return err
		}
	}
	closing := closingPlace(s.tool, out.Name())
	for i, w := range writers {
		if err := w.Commit(); err != nil {
			for _, there := range writers[:i] {
				err = fmt.Errorf("%w; %s is in place already", err, printable(there.Name()))
			}
			return err
		}
	}
	s.progress.end()
	closingLine(closing, s.what, s.before, s.after, true, time.Since(s.begun))
	return nil
}

// size counts the bytes of tensors.
func size(tensors []safetensors.Info) (n int64) {
	for _, t := range tensors {
		n += t.Size
	}
	return n
}

// pieceLen is the number of elements of a piece.
func pieceLen[T kernels.Float]() int { return int(pieceSize / sizeOf[T]()) }

// do begins a task in a workspace.
func (s *stream) do(task func(ws *workspace) error) error {
	return s.taskGroup.do(func() error {
		ws := s.workspaces.get()
		defer s.workspaces.put(ws)
		return task(ws)
	})
}

// copy begins to copy a tensor as it is.
func (s *stream) copy(w *safetensors.Writer, f *safetensors.File, info safetensors.Info) error {
	for off := int64(0); off < info.Size; off += pieceSize {
		if err := s.do(func(ws *workspace) error {
			piece := lend[uint8](&ws.in, int(min(pieceSize, info.Size-off)))
			if err := get(s, f, info.Name, piece, off); err != nil {
				return err
			}
			return put(s, w, info.Name, piece, off)
		}); err != nil {
			return err
		}
	}
	return nil
}

// get reads elements of a tensor from its byte off on.
func get[E element](s *stream, f *safetensors.File, name string, elements []E, off int64) error {
	return getAgain(s, f, name, elements, off, 1)
}

// getAgain is get for what is read so many times, of which this is one.
func getAgain[E element](s *stream, f *safetensors.File, name string, elements []E, off, times int64) error {
	bytes := bytesOf(elements)
	s.progress.name(name)
	err := f.ReadTensor(name, bytes, off)
	s.progress.add(int64(len(bytes)) / times)
	toggleEndian(elements)
	return err
}

// put writes elements of a tensor to its byte off on. On a machine with the other order of bytes they are turned round for a while.
func put[E element](s *stream, w *safetensors.Writer, name string, elements []E, off int64) error {
	toggleEndian(elements)
	defer toggleEndian(elements)
	return putRaw(s, w, name, bytesOf(elements), off)
}

// putRaw writes bytes of a tensor as they are.
func putRaw(s *stream, w *safetensors.Writer, name string, data []byte, off int64) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	err := w.WriteTensor(name, data, off)
	s.progress.add(int64(len(data)))
	return err
}
