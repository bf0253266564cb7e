namespace Weir.Tests.Infrastructure;

/// <summary>Files of the repository, for tests that compare them with the program.</summary>
internal static class Repository
{
    public static string Root { get; } = Find();

    public static string PathOf(string relative) => Path.Combine(Root, relative);

    private static string Find()
    {
        for (var directory = AppContext.BaseDirectory; directory is not null; directory = Path.GetDirectoryName(directory))
        {
            if (File.Exists(Path.Combine(directory, "Weir.slnx")))
            {
                return directory;
            }
        }

        throw new InvalidOperationException("The tests are not inside the repository.");
    }
}
