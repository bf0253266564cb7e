namespace Weir.NodeAgent.Linux;

/// <summary>
/// Gives a tree from one user to another, while that user may change it. Each file is opened without following links and looked at before
/// it is given away: only what belongs to the former owner, and no file that has another name elsewhere.
/// </summary>
internal sealed class OwnerChange(uint from, uint to, Func<bool> isOver)
{
    private const int MaxDepth = 100;

    /// <summary>The top comes last: as long as it belongs to the former owner, the work is not finished.</summary>
    /// <exception cref="IOException">The time was up, or the tree is too deep.</exception>
    public void Run(OpenDirectory top) => Run(top, depth: 0);

    private void Run(OpenDirectory directory, int depth)
    {
        if (depth > MaxDepth)
        {
            throw new IOException($"Its directories are more than {MaxDepth} levels deep, which is too deep to give them to another user.");
        }

        for (var names = directory.NextNames(); names.Count > 0; names = directory.NextNames())
        {
            foreach (var name in names)
            {
                if (isOver())
                {
                    throw new IOException("It has too many files to give them to another user in the time that a start may take.");
                }

                Change(directory, name, depth);
            }
        }

        directory.ChangeOwner(to);
    }

    private void Change(OpenDirectory parent, byte[] name, int depth)
    {
        using var file = parent.TryOpenPath(name);
        if (file?.Status() is not { } status || status.Uid != from)
        {
            return;
        }

        if (!status.IsDirectory)
        {
            if (status.Links == 1)
            {
                file.ChangeOwner(to);
            }

            return;
        }

        using var directory = file.TryReopen();
        if (directory is not null)
        {
            Run(directory, depth + 1);
        }
    }
}
