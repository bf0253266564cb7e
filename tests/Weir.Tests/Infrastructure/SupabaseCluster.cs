using Weir.Configuration;
using Weir.Postgres;

namespace Weir.Tests.Infrastructure;

/// <summary>A cluster whose databases are as a new Supabase project's, with Weir in them.</summary>
public class SupabaseCluster : TestCluster
{
    public override string Owner => "postgres";

    public override bool IsSupabase => true;

    public override string OwnerUrl(string database) =>
        DatabaseUrl.Format(Owner, SupabaseProject.PostgresPassword, "127.0.0.1", Postgres.Port, database);

    private protected override Task PrepareAsync(string template) => SupabaseProject.PrepareAsync(Postgres, template);
}

/// <summary>A migrated database of one test class's own, as a Supabase project's.</summary>
public sealed class SupabaseDatabase(SupabaseCluster cluster) : TestDatabase(cluster);
