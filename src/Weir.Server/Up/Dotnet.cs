namespace Weir.Server.Up;

/// <summary>How to start one of our assemblies: by the same <c>dotnet</c> that runs this one.</summary>
internal static class Dotnet
{
    public static string Path { get; } = Environment.ProcessPath is { } self && System.IO.Path.GetFileNameWithoutExtension(self) == "dotnet"
        ? self : "dotnet";
}
