using System.Security.Cryptography;

namespace Weir.NodeAgent.Linux;

/// <summary>
/// Removes a directory that others may change meanwhile. As root, each directory is first taken from its owner, by descriptor: then
/// nobody else can add, rename or remove an entry of it, whatever descriptor or working directory they hold. Files are unlinked where
/// they are. Subdirectories are moved to the top first, so depth costs neither stack nor descriptors: three are open at most.
/// </summary>
internal sealed class DirectoryRemoval
{
    private readonly OpenDirectory _top;
    private readonly Func<bool> _isOver;
    private readonly bool _isRoot = Libc.IsRoot;
    private readonly byte[] _prefix =
        OpenDirectory.Name(".removing-" + RandomNumberGenerator.GetHexString(16, lowercase: true) + "-")[..^1];
    private long _moved;
    private long _removed;

    private DirectoryRemoval(OpenDirectory top, Func<bool> isOver) => (_top, _isOver) = (top, isOver);

    /// <summary>
    /// Removes what has the name, if anything has. What is done stays done when this throws, and another call goes on from there.
    /// </summary>
    /// <param name="parent">A directory that only the node can change.</param>
    /// <param name="isOver">Asked before each step: whether the time is up.</param>
    /// <exception cref="IOException">The time was up, or something could not be removed.</exception>
    public static void Run(OpenDirectory parent, byte[] name, Func<bool> isOver)
    {
        using (var top = Open(parent, name))
        {
            if (top is null)
            {
                parent.TryUnlink(name);
                return;
            }

            new DirectoryRemoval(top, isOver).Run();
        }

        if (!parent.TryRemoveDirectory(name))
        {
            throw new IOException("It is being filled while it is removed.");
        }
    }

    private void Run()
    {
        Take(_top);
        for (var isEmpty = false; !isEmpty;)
        {
            // Again from the start until nothing is found: a directory that is read while it changes may leave entries out.
            isEmpty = true;
            _top.Rewind();
            for (var names = _top.NextNames(); names.Count > 0; names = _top.NextNames())
            {
                isEmpty = false;
                names.ForEach(RemoveFromTop);
            }
        }
    }

    private void RemoveFromTop(byte[] name)
    {
        if (TryUnlink(_top, name))
        {
            return;
        }

        // A move fails where a file system is mounted, so that nothing of that is removed.
        var moved = name.AsSpan().StartsWith(_prefix) ? name : MoveToTop(_top, name);
        using (var directory = Open(_top, moved))
        {
            if (directory is null)
            {
                return;
            }

            Take(directory);
            for (var names = directory.NextNames(); names.Count > 0; names = directory.NextNames())
            {
                foreach (var child in names)
                {
                    if (!TryUnlink(directory, child))
                    {
                        MoveToTop(directory, child);
                    }
                }
            }
        }

        _top.TryRemoveDirectory(moved);
        _removed++;
    }

    private bool TryUnlink(OpenDirectory directory, byte[] name)
    {
        if (_isOver())
        {
            throw new IOException($"The time is up; {_removed} entries were removed, and the next attempt goes on from there.");
        }

        var unlinked = directory.TryUnlink(name);
        _removed += unlinked ? 1 : 0;
        return unlinked;
    }

    private byte[] MoveToTop(OpenDirectory directory, byte[] name)
    {
        byte[] target = [.. _prefix, .. OpenDirectory.Name($"{++_moved}")];
        try
        {
            directory.Move(name, _top, target);
        }
        catch (ErrnoException e) when (e.Errno == ErrnoException.AccessDenied)
        {
            directory.MakePrivate(name);
            directory.Move(name, _top, target);
        }
        catch (ErrnoException e) when (e.Errno == ErrnoException.Busy)
        {
            throw new IOException("A file system is mounted inside; unmount it.", e);
        }
        catch (ErrnoException e) when (e.Errno == ErrnoException.NotFound)
        {
            // Without root its owner may take it away; what is left is found by the next pass.
        }

        return target;
    }

    private static OpenDirectory? Open(OpenDirectory parent, byte[] name)
    {
        try
        {
            return parent.TryOpen(name);
        }
        catch (ErrnoException e) when (e.Errno == ErrnoException.AccessDenied)
        {
            parent.MakePrivate(name);
            return parent.TryOpen(name);
        }
    }

    private void Take(OpenDirectory directory)
    {
        if (_isRoot)
        {
            directory.ChangeOwner(0);
        }

        directory.MakePrivate();
    }
}
