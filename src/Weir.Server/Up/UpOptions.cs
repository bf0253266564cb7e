using Weir.Configuration;

namespace Weir.Server.Up;

/// <summary>What <c>up</c> was asked for.</summary>
/// <param name="Port">Null: http.listen's, or the next free one.</param>
/// <param name="OwnerUser">On a Supabase database: who owns the demo organization.</param>
internal sealed record UpOptions(bool Json, int? Port, Guid? OwnerUser, WeirConfig Config, TextWriter Output, TextWriter Progress)
{
    /// <summary>One line for people while they wait; nothing where a program reads.</summary>
    public void Say(string line)
    {
        if (!Json)
        {
            Progress.WriteLine(line);
        }
    }
}
