namespace Weir.Bench;

internal static class Repository
{
    public static string Root { get; } = Find();

    private static string Find()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory.FullName, "Weir.slnx")))
        {
            directory = directory.Parent ?? throw new FileNotFoundException("The benchmark runs inside its repository.");
        }

        return directory.FullName;
    }
}
