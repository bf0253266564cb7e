using System.Text.Json;
using Weir.Errors;
using Weir.Postgres;

namespace Weir.Isolation;

/// <summary>Looks at a live database: every promise about what is in its catalogs, in one statement and so at one moment.</summary>
internal static class IsolationInspection
{
    private const string IsThere = "select to_regprocedure('weir.actor_id()') is not null";

    private static readonly string Checks = IsolationSql.With(string.Join("\nunion all\n", IsolationCheck.Embedded.Select((check, i) =>
        $"(select {i} as position, to_jsonb(answer)::text from (\n{check.Query}\n) answer)")) + "\norder by 1, 2");

    /// <param name="database">Opened as the owner; nothing of it is changed.</param>
    /// <exception cref="WeirException">NotFound: there is no Weir in it. Unavailable: it does not answer.</exception>
    public static async Task<IsolationReport> RunAsync(Rehearsal database, CancellationToken cancellationToken)
    {
        if (await database.QueryAsync(IsThere, [], row => row.GetBoolean(0), cancellationToken) is not [true])
        {
            throw new WeirException(
                ErrorCode.NotFound, "There is no Weir in this database.", "Name another one with --database, or run weir migrate.");
        }

        var broken = await database.QueryAsync(
            Checks, [Sql.Jsonb(Definers.Json)], row => (Check: IsolationCheck.Embedded[row.GetInt32(0)], Row: row.GetString(1)),
            cancellationToken);
        var reported = broken.Select(
            b => (b.Check.IsNote, Finding: b.Check.Report(JsonSerializer.Deserialize<Dictionary<string, string>>(b.Row)!))).ToArray();
        return new IsolationReport(
            IsolationCheck.Embedded.Count, null, [.. reported.Where(r => !r.IsNote).Select(r => r.Finding)],
            [.. reported.Where(r => r.IsNote).Select(r => r.Finding)]);
    }
}
