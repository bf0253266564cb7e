using Npgsql;
using Weir.Postgres.Doctor;

namespace Weir.Postgres.Doctor;

/// <summary>
/// Whether this configuration's <c>http.publicUrl</c> is the one that <c>migrate</c> or <c>up</c> wrote into the database. SQL builds the
/// addresses of servers from the database's, and Weir builds the addresses of the documentation from its own. A difference makes links
/// wrong and affects no call.
/// </summary>
internal static class PublicUrlProbe
{
    private const string Stored = "select weir.public_url()";

    /// <param name="configured">Without a slash at its end; null: none.</param>
    public static async Task<Diagnosis> ExamineAsync(NpgsqlDataSource engine, string? configured, CancellationToken ct)
    {
        const string check = "http.publicUrl";
        var stored = await engine.ScalarAsync<string?>(Stored, [], ct);
        return stored == configured ? new Diagnosis(check, stored ?? "not set: answers hold no addresses of Weir")
            // `up` without http.publicUrl tells the database where it listens.
            : configured is null && Uri.TryCreate(stored, UriKind.Absolute, out var url) && url.IsLoopback
                ? new Diagnosis(check, $"not set; the database has {stored}, where weir up listens")
            : new Diagnosis(check, $"it is {configured ?? "not set"}, and the database has {stored ?? "none"}: links in answers differ",
                "Set http.publicUrl (WEIR_HTTP_PUBLIC_URL) to the same value at every replica, and run weir migrate with it.");
    }
}
